//go:build !purego

package matrix

// tiles cuts the product into tiles of at most four rows, as even as they come.
func (p *product) tiles() {
	n := (p.m + 3) / 4
	for t, i := 0, 0; t < n; t++ {
		mr := (p.m - i + n - t - 1) / (n - t)
		p.tileRow(i, mr)
		i += mr
	}
}

// tileRow is mr rows of the product from row i on.
func (p *product) tileRow(i, mr int) {
	add := 0
	if p.add {
		add = 1
	}
	a, j := &p.a[i*p.ars], 0
	ars, acs, bks, ldc := 4*p.ars, 4*p.acs, 4*p.ldb, 4*p.ldc
	for _, cols := range [...]int{16, 4, 1} {
		np := (p.n - j) / cols
		if np == 0 {
			continue
		}
		b, c := &p.b[j], &p.c[i*p.ldc+j]
		switch 100*mr + cols {
		case 116:
			tile1x16NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 216:
			tile2x16NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 316:
			tile3x16NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 416:
			tile4x16NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 104:
			tile1x4NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 204:
			tile2x4NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 304:
			tile3x4NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 404:
			tile4x4NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 101:
			tile1x1NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 201:
			tile2x1NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 301:
			tile3x1NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		case 401:
			tile4x1NEON(p.k, np, a, ars, acs, b, bks, c, ldc, add)
		}
		j += np * cols
	}
}

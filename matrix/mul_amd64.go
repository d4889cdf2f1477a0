//go:build !purego

package matrix

import "golang.org/x/sys/cpu"

// vector says that the assembly can run here.
func vector() bool {
	return cpu.X86.HasAVX2 && cpu.X86.HasFMA && cpu.X86.HasBMI1 && cpu.X86.HasBMI2
}

// tailMask from 8-n on has n lanes set and then 8-n clear.
var tailMask = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

// tiles cuts the product into tiles of at most six rows, as even as they come.
func (p *product) tiles() {
	if !vector() {
		p.plain(0, 0)
		return
	}
	n := (p.m + 5) / 6
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
	wide := 0
	switch mr {
	case 1:
		wide = 64
	case 2:
		wide = 32
	}
	if wide > 0 && p.n >= wide {
		np := p.n / wide
		if mr == 1 {
			tile1x64AVX2(p.k, np, a, ars, acs, &p.b[0], bks, 4*wide, &p.c[i*p.ldc], ldc, add, nil)
		} else {
			tile2x32AVX2(p.k, np, a, ars, acs, &p.b[0], bks, 4*wide, &p.c[i*p.ldc], ldc, add, nil)
		}
		j = np * wide
	}
	if np := (p.n - j) / 16; np > 0 {
		b, c := &p.b[j], &p.c[i*p.ldc+j]
		switch mr {
		case 1:
			tile1x16AVX2(p.k, np, a, ars, acs, b, bks, 64, c, ldc, add, nil)
		case 2:
			tile2x16AVX2(p.k, np, a, ars, acs, b, bks, 64, c, ldc, add, nil)
		case 3:
			tile3x16AVX2(p.k, np, a, ars, acs, b, bks, 64, c, ldc, add, nil)
		case 4:
			tile4x16AVX2(p.k, np, a, ars, acs, b, bks, 64, c, ldc, add, nil)
		case 5:
			tile5x16AVX2(p.k, np, a, ars, acs, b, bks, 64, c, ldc, add, nil)
		case 6:
			tile6x16AVX2(p.k, np, a, ars, acs, b, bks, 64, c, ldc, add, nil)
		}
		j += 16 * np
	}
	rest := p.n - j
	if rest == 0 {
		return
	}
	b, c := &p.b[j], &p.c[i*p.ldc+j]
	if rest > 8 {
		mask := &tailMask[16-rest]
		switch mr {
		case 1:
			tile1x8mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
		case 2:
			tile2x8mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
		case 3:
			tile3x8mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
		case 4:
			tile4x8mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
		case 5:
			tile5x8mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
		case 6:
			tile6x8mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
		}
		return
	}
	mask := &tailMask[8-rest]
	switch mr {
	case 1:
		tile1x0mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
	case 2:
		tile2x0mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
	case 3:
		tile3x0mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
	case 4:
		tile4x0mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
	case 5:
		tile5x0mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
	case 6:
		tile6x0mAVX2(p.k, 1, a, ars, acs, b, bks, 0, c, ldc, add, mask)
	}
}

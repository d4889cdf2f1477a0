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

// tileRow is mr rows of the product from row i on: tiles of the widest kernels, of 16 columns, and what is left.
func (p *product) tileRow(i, mr int) {
	j := 0
	if mr == 1 && p.n >= 64 || mr == 2 && p.n >= 32 {
		j = p.widest(i, mr)
	}
	if np := (p.n - j) / 16; np > 0 {
		p.columns16(i, j, mr, np)
		j += 16 * np
	}
	switch rest := p.n - j; {
	case rest > 8:
		p.columns8AndMasked(i, j, mr, &tailMask[16-rest])
	case rest > 0:
		p.columnsMasked(i, j, mr, &tailMask[8-rest])
	}
}

// strides are the product's steps in bytes, and 1 where it adds to what is there.
func (p *product) strides() (ars, acs, bks, ldc, add int) {
	if p.add {
		add = 1
	}
	return 4 * p.ars, 4 * p.acs, 4 * p.ldb, 4 * p.ldc, add
}

// widest is one row in tiles of 64 columns or two rows in tiles of 32, and returns how many columns that is.
func (p *product) widest(i, mr int) int {
	ars, acs, bks, ldc, add := p.strides()
	if mr == 1 {
		np := p.n / 64
		tile1x64AVX2(p.k, np, &p.a[i*p.ars], ars, acs, &p.b[0], bks, 4*64, &p.c[i*p.ldc], ldc, add, nil)
		return np * 64
	}
	np := p.n / 32
	tile2x32AVX2(p.k, np, &p.a[i*p.ars], ars, acs, &p.b[0], bks, 4*32, &p.c[i*p.ldc], ldc, add, nil)
	return np * 32
}

// columns16 is np tiles of 16 columns from column j on.
func (p *product) columns16(i, j, mr, np int) {
	ars, acs, bks, ldc, add := p.strides()
	a, b, c := &p.a[i*p.ars], &p.b[j], &p.c[i*p.ldc+j]
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
}

// columns8AndMasked is the last 9 to 15 columns, from column j on: 8 and those that the mask has.
func (p *product) columns8AndMasked(i, j, mr int, mask *int32) {
	ars, acs, bks, ldc, add := p.strides()
	a, b, c := &p.a[i*p.ars], &p.b[j], &p.c[i*p.ldc+j]
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
}

// columnsMasked is the last 1 to 8 columns, from column j on: those that the mask has.
func (p *product) columnsMasked(i, j, mr int, mask *int32) {
	ars, acs, bks, ldc, add := p.strides()
	a, b, c := &p.a[i*p.ars], &p.b[j], &p.c[i*p.ldc+j]
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

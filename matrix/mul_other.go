//go:build purego || !(amd64 || arm64)

package matrix

func (p *product) tiles() { p.plain(0, 0) }

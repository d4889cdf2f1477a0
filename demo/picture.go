package demo

import (
	"fmt"
	"io"
	"strings"
)

// shades are grey levels for a terminal, dark to light.
var shades = []rune(" .:-=+*#%@")

// Picture draws grey bytes as text, two rows of pixels to a line.
func Picture(pix []byte, width, height int) []string {
	var lines []string
	for y := 0; y+1 < height; y += 2 {
		var b strings.Builder
		for x := range width {
			v := (int(pix[y*width+x]) + int(pix[(y+1)*width+x])) / 2
			b.WriteRune(shades[v*(len(shades)-1)/255])
		}
		lines = append(lines, b.String())
	}
	return lines
}

// Beside prints lines of a picture with notes to its right.
func Beside(w io.Writer, picture, notes []string) {
	for i := range max(len(picture), len(notes)) {
		l, r := "", ""
		if i < len(picture) {
			l = picture[i]
		}
		if i < len(notes) {
			r = notes[i]
		}
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("  %-30s %s", l, r), " "))
	}
}

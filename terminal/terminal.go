package terminal

import (
	"fmt"
	"strings"
)

// Picture is a grey picture in lines of text, two rows of pixels a line: in colour by half blocks, else by shades.
func Picture(pixels []byte, width, height int, colour bool) []string {
	at := func(x, y int) byte {
		if y < height && y*width+x < len(pixels) {
			return pixels[y*width+x]
		}
		return 0
	}
	var lines []string
	for y := 0; y < height; y += 2 {
		var b strings.Builder
		for x := range width {
			up, down := at(x, y), at(x, y+1)
			if colour {
				fmt.Fprintf(&b, "\x1b[38;2;%d;%d;%dm\x1b[48;2;%d;%d;%dm▀", up, up, up, down, down, down)
				continue
			}
			const shades = " .:-=+*#%@"
			b.WriteByte(shades[(int(up)+int(down))*(len(shades)-1)/510])
		}
		if colour {
			b.WriteString("\x1b[0m")
		}
		lines = append(lines, b.String())
	}
	return lines
}

// Beside puts lines to the right of a picture that is width wide.
func Beside(picture []string, width int, right []string) []string {
	var out []string
	for i := range max(len(picture), len(right)) {
		line := strings.Repeat(" ", width)
		if i < len(picture) {
			line = picture[i]
		}
		if i < len(right) {
			line += "   " + right[i]
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	return out
}

// Bar is a bar of share*width blocks.
func Bar(share float64, width int) string {
	n := min(width, max(0, int(share*float64(width)+0.5)))
	return strings.Repeat("█", n)
}

// Gauge shows how much of total is done, in a frame that is width blocks wide.
func Gauge(done, total uint64, width int) string {
	n := 0
	if total > 0 {
		n = int(float64(min(done, total)) / float64(total) * float64(width))
	}
	return "[" + strings.Repeat("█", n) + strings.Repeat("░", width-n) + "]"
}

// Redrawn is a line put in the place of the one before it. What is wider than the terminal is cut off at its edge: a
// line that wrapped could not be drawn over.
func Redrawn(line string) string { return "\r\x1b[K\x1b[?7l" + line + "\x1b[?7h" }

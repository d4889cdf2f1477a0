package draft

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tidemill/tidemill"
)

// mapping is a flow mapping of settings.
func mapping(settings []tidemill.Setting) string {
	var items []string
	for _, s := range settings {
		value := yamlText(s.Text)
		switch {
		case s.Word != "":
			value = s.Word
		case s.Env != "":
			value = `"${` + s.Env + `}"`
		case s.List != nil:
			var words []string
			for _, w := range s.List {
				words = append(words, yamlWord(w))
			}
			value = "[" + strings.Join(words, ", ") + "]"
		}
		items = append(items, s.Key+": "+value)
	}
	return "{" + strings.Join(items, ", ") + "}"
}

func yamlText(s string) string { return fmt.Sprintf("%q", strings.ReplaceAll(s, "${", "$${")) }

// broken joins the words of a YAML list, with lines that are not too long.
func broken(list []string, indent int) string {
	var b strings.Builder
	at := indent
	for i, w := range list {
		if i > 0 {
			b.WriteString(",")
			if at+len(w) > 105 {
				b.WriteString("\n" + strings.Repeat(" ", indent))
				at = indent
			} else {
				b.WriteString(" ")
				at += 2
			}
		}
		b.WriteString(w)
		at += len(w)
	}
	return b.String()
}

var (
	notInName = regexp.MustCompile(`[^A-Za-z0-9_-]+`)
	notWords  = regexp.MustCompile(`(?i)^([0-9.+_-]|(true|false|null|yes|no|on|off|y|n)$)`)
	plainWord = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`)
)

// nameOf makes a name for a flow or a task.
func nameOf(s string) string {
	s = strings.Trim(notInName.ReplaceAllString(s, "-"), "-_")
	if len(s) > 60 {
		s = s[:60]
	}
	if s == "" {
		return "flow"
	}
	return s
}

// yamlName is nameOf as YAML takes it for text.
func yamlName(s string) string {
	s = nameOf(s)
	if w := yamlWord(s); w == s || notWords.MatchString(s) {
		return w
	}
	return s
}

func yamlWord(s string) string {
	switch strings.ToLower(s) {
	case "true", "false", "null", "yes", "no", "on", "off", "y", "n":
		return yamlText(s)
	}
	if plainWord.MatchString(s) {
		return s
	}
	return yamlText(s)
}

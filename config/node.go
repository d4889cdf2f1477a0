package config

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The limits keep a hostile file from exhausting memory or the stack.
const (
	maxBytes = 1 << 20
	maxNodes = 50_000
	maxDepth = 64
)

type nodeKind uint8

const (
	nullNode nodeKind = iota
	scalarNode
	mappingNode
	listNode
)

// node is a YAML value with its place, aliases resolved and the environment filled in.
type node struct {
	kind      nodeKind
	line, col int
	width     int    // of the scalar as it stands, in characters
	text      string // of a scalar
	raw       string // as it stands in the file, without quotes
	quoted    bool   // so that it can only be text
	env       bool   // some of it comes from the environment, which knows no types
	broken    bool   // the environment lacks some of it; reported
	exact     bool   // text stands in the file as it is, from col (or behind the quote): a place in it can be shown
	entries   []entry
	items     []*node
}

type entry struct {
	key   *node
	value *node
}

func (n *node) what() string {
	switch n.kind {
	case scalarNode:
		return fmt.Sprintf("%q", n.text)
	case mappingNode:
		return "a mapping"
	case listNode:
		return "a list"
	}
	return "nothing"
}

// reader turns goccy's tree into nodes.
type reader struct {
	*report
	env     func(string) (string, bool)
	anchors map[string]ast.Node
	left    int
}

// readYAML reads the file's one document; nil if it is broken, which is reported.
func readYAML(r *report, data []byte, env func(string) (string, bool)) (root *node) {
	if len(data) > maxBytes {
		r.at(1, 1, "", 1, "the file is larger than %d bytes", maxBytes)
		return nil
	}
	if !utf8.Valid(data) {
		r.at(1, 1, "", 1, "the file is not valid UTF-8")
		return nil
	}
	defer func() { // the parser panics on some broken files
		if p := recover(); p != nil {
			r.at(1, 1, "", 1, "the file is no YAML that can be read")
			root = nil
		}
	}()
	f, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(err)
		return nil
	}
	var docs []ast.Node
	for _, d := range f.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			docs = append(docs, d.Body)
		}
	}
	switch len(docs) {
	case 0:
		r.at(1, 1, "", 1, "the file is empty; begin with name: and source:")
		return nil
	case 1:
	default:
		n := (&reader{report: r}).place(docs[1])
		r.at(n.line, 1, "", 1, "a second document begins here; a flow is one document")
		return nil
	}
	rd := &reader{report: r, env: env, anchors: map[string]ast.Node{}, left: maxNodes}
	return rd.node(docs[0], 0)
}

// syntax reports goccy's error without its picture of the source, which could show a secret.
func (r *report) syntax(err error) {
	line, col, text := 1, 1, err.Error()
	if e, ok := err.(interface {
		GetToken() *token.Token
		GetMessage() string
	}); ok {
		text = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			line, col = max(1, t.Position.Line), max(1, t.Position.Column)
		}
	}
	switch {
	case strings.Contains(text, "cannot start any token") && strings.Contains(text, "\t"):
		text = "a tab; YAML is indented with spaces"
	case strings.Contains(r.line(line), "${") && !strings.Contains(text, "quoted"):
		text += `; put "${...}" in quotes inside { } and [ ]`
	}
	r.at(line, col, "", 1, "%s", strings.TrimSpace(text))
}

// place is a node with nothing but its position.
func (r *reader) place(a ast.Node) *node {
	n := &node{line: 1, col: 1, width: 1}
	t := a.GetToken()
	if m, ok := a.(*ast.MappingNode); ok && len(m.Values) > 0 && (t == nil || t.Type != token.MappingStartType) {
		t = m.Values[0].Key.GetToken() // a block mapping's own token is its first colon
	}
	if t != nil && t.Position != nil {
		n.line, n.col = max(1, t.Position.Line), max(1, t.Position.Column)
	}
	return n
}

func (r *reader) node(a ast.Node, depth int) *node {
	n := r.place(a)
	if r.left--; r.left < 0 || depth > maxDepth {
		if r.left > -2 {
			r.at(n.line, n.col, "", 1, "too much: a flow has at most %d values, nested %d deep", maxNodes, maxDepth)
			r.left = -2
		}
		return n
	}
	switch a := a.(type) {
	case nil, *ast.NullNode:
	case *ast.MappingNode:
		n.kind = mappingNode
		for _, v := range a.Values {
			r.entry(n, v, depth)
		}
	case *ast.MappingValueNode:
		n.kind = mappingNode
		r.entry(n, a, depth)
		if len(n.entries) > 0 {
			n.line, n.col = n.entries[0].key.line, n.entries[0].key.col
		}
	case *ast.SequenceNode:
		n.kind = listNode
		for _, v := range a.Values {
			n.items = append(n.items, r.node(v, depth+1))
		}
	case *ast.AnchorNode:
		if a.Value == nil {
			return n
		}
		r.anchors[a.Name.GetToken().Value] = a.Value
		return r.node(a.Value, depth+1)
	case *ast.AliasNode:
		name := a.Value.GetToken().Value
		target := r.anchors[name]
		if target == nil {
			r.at(n.line, n.col, "", 1+len(name), "nothing above is marked &%s", name)
			return n
		}
		return r.node(target, depth+1)
	case *ast.TagNode:
		r.at(n.line, n.col, "", len(a.GetToken().Value), "a tag (%s) has no place in a flow",
			strings.TrimSpace(a.GetToken().Value))
	case *ast.LiteralNode:
		if a.Value != nil {
			r.scalar(n, strings.TrimRight(a.Value.GetToken().Value, "\n"), true)
		}
		n.exact = false
	case *ast.CommentNode, *ast.CommentGroupNode:
	default:
		t := a.GetToken()
		quoted := t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType
		r.scalar(n, t.Value, quoted)
		if written := strings.TrimSpace(t.Origin); quoted && len(written) != len(t.Value)+2 {
			n.exact = false // escapes move the places
			n.raw = strings.Trim(written, string(written[:1]))
		}
		if quoted && n.exact {
			n.width += 2
		}
	}
	return n
}

func (r *reader) entry(n *node, v *ast.MappingValueNode, depth int) {
	key := r.place(v.Key)
	t := v.Key.GetToken()
	if _, merge := v.Key.(*ast.MergeKeyNode); merge {
		r.at(key.line, key.col, "", 2, "<< has no place in a flow; write the keys out")
		return
	}
	if _, complex := v.Key.(*ast.MappingKeyNode); complex {
		r.at(key.line, key.col, "", 1, "a key is a plain word")
		return
	}
	key.kind, key.text, key.width = scalarNode, t.Value, utf8.RuneCountInString(t.Value)
	if t.Type == token.DoubleQuoteType || t.Type == token.SingleQuoteType {
		key.width += 2
	}
	if strings.Contains(key.text, "${") {
		r.at(key.line, key.col, "", key.width, "${...} works in values, not in keys")
		return
	}
	for _, e := range n.entries {
		if e.key.text == key.text {
			r.at(key.line, key.col, "", key.width, "key %q is given twice; first in line %d", key.text, e.key.line)
			return
		}
	}
	value := &node{line: key.line, col: key.col, width: key.width}
	if v.Value != nil {
		if value = r.node(v.Value, depth+1); value.kind == nullNode {
			value.line, value.col, value.width = key.line, key.col, key.width
		}
	}
	n.entries = append(n.entries, entry{key, value})
}

func (r *reader) scalar(n *node, text string, quoted bool) {
	n.kind, n.quoted, n.raw, n.width = scalarNode, quoted, text, utf8.RuneCountInString(text)
	n.text = r.expand(n, text)
	n.env = n.text != text
	n.exact = !n.env && !strings.ContainsAny(text, "\n\\")
}

// expand fills in ${NAME} and ${NAME:-default}.
func (r *reader) expand(n *node, s string) string {
	var b strings.Builder
	for {
		i := strings.Index(s, "${")
		if i < 0 {
			return b.String() + s
		}
		if i > 0 && s[i-1] == '$' {
			b.WriteString(s[:i-1] + "${")
			s = s[i+2:]
			continue
		}
		end := strings.IndexByte(s[i:], '}')
		if end < 0 {
			n.broken = true
			r.at(n.line, n.col, "", n.width, "${ is not closed with }; a literal ${ is written $${")
			return b.String() + s
		}
		name, def, hasDefault := strings.Cut(s[i+2:i+end], ":-")
		b.WriteString(s[:i])
		s = s[i+end+1:]
		value, ok := "", false
		if validName(name) && r.env != nil {
			value, ok = r.env(name)
		}
		switch {
		case !validName(name):
			n.broken = true
			r.at(n.line, n.col, "", n.width, "${%s} names no variable: letters, digits and _", name)
		case ok && (value != "" || !hasDefault):
			b.WriteString(value)
		case hasDefault:
			b.WriteString(def)
		default:
			n.broken = true
			r.at(n.line, n.col, "", n.width, "the environment has no variable %s; set it, or write ${%s:-default}", name, name)
		}
	}
}

func validName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c != '_' && c|0x20-'a' > 25 && (i == 0 || c-'0' > 9) {
			return false
		}
	}
	return s != ""
}

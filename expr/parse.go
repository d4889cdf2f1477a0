package expr

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
)

// The limits keep a hostile expression from exhausting the stack.
const (
	maxExprBytes = 1 << 14
	maxExprDepth = 200
)

var exprKeywords = [...]string{"and", "or", "not", "in", "between", "is", "null", "true",
	"false", "case", "when", "then", "else", "end", "coalesce", "lower", "upper"}

var exprFunctions = [...]string{"coalesce", "lower", "upper"}

func isExprWord(s string) bool {
	for _, k := range exprKeywords {
		if strings.EqualFold(s, k) {
			return true
		}
	}
	return false
}

type exprParser struct {
	src   string
	next  int // offset behind tok
	tok   token
	depth int
}

func (p *exprParser) errorf(pos int, format string, a ...any) error {
	e := Expr{src: p.src}
	return e.errorAt(pos, fmt.Sprintf(format, a...))
}

func parseExpr(src string) (*exprNode, error) {
	p := &exprParser{src: src}
	if len(src) > maxExprBytes {
		p.src = src[:40] + " ..."
		return nil, p.errorf(0, "longer than %d bytes", maxExprBytes)
	}
	if !utf8.ValidString(src) {
		p.src = strings.ToValidUTF8(src, "?")
		return nil, p.errorf(0, "not valid UTF-8")
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokEnd {
		return nil, p.errorf(0, "empty; write a comparison or a column's name")
	}
	n, err := p.parseOr()
	if err != nil {
		return nil, err
	}
	if p.tok.kind != tokEnd {
		return nil, p.unexpected("the end, or an operator")
	}
	return n, nil
}

func (p *exprParser) is(kind tokenKind, text string) bool {
	return p.tok.kind == kind && p.tok.text == text
}

func (p *exprParser) word(w string) bool { return p.is(tokWord, w) }

// expect takes the token that must come.
func (p *exprParser) expect(kind tokenKind, text string) error {
	if !p.is(kind, text) {
		return p.unexpected(text)
	}
	return p.advance()
}

func (p *exprParser) unexpected(want string) error {
	switch {
	case p.tok.kind == tokEnd:
		return p.errorf(p.tok.pos, "it ends where %s is missing", want)
	case p.tok.kind == tokWord && !isExprWord(p.tok.text):
		if n := Nearest(p.tok.text, exprKeywords[:]); n != "" {
			return p.errorf(p.tok.pos, "%q is not expected; the nearest word is %q", p.tok.raw, n)
		}
	}
	return p.errorf(p.tok.pos, "%s is not expected; %s is", p.tok.raw, want)
}

func (p *exprParser) enter() error {
	if p.depth++; p.depth > maxExprDepth {
		return p.errorf(p.tok.pos, "nested deeper than %d", maxExprDepth)
	}
	return nil
}

func (p *exprParser) parseOr() (*exprNode, error)  { return p.chain("or", opOr, p.parseAnd) }
func (p *exprParser) parseAnd() (*exprNode, error) { return p.chain("and", opAnd, p.parseNot) }

func (p *exprParser) chain(word string, op exprOp, operand func() (*exprNode, error)) (*exprNode, error) {
	left, err := operand()
	depth := p.depth
	for err == nil && p.word(word) {
		pos := p.tok.pos
		if err = p.enter(); err != nil { // a chain is as deep as it is long
			return nil, err
		}
		if err = p.advance(); err != nil {
			return nil, err
		}
		var right *exprNode
		if right, err = operand(); err == nil {
			left = &exprNode{op: op, pos: pos, kids: []*exprNode{left, right}}
		}
	}
	p.depth = depth
	return left, err
}

func (p *exprParser) parseNot() (*exprNode, error) {
	if !p.word("not") {
		return p.parseComparison()
	}
	pos := p.tok.pos
	if err := p.enter(); err != nil {
		return nil, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	k, err := p.parseNot()
	p.depth--
	return &exprNode{op: opNot, pos: pos, kids: []*exprNode{k}}, err
}

func (p *exprParser) parseComparison() (*exprNode, error) {
	left, err := p.parseSum()
	if err != nil {
		return nil, err
	}
	if left, err = p.parseTest(left); err != nil {
		return nil, err
	}
	depth := p.depth
	for p.word("is") {
		if err := p.enter(); err != nil {
			return nil, err
		}
		n := &exprNode{op: opIsNull, pos: p.tok.pos, kids: []*exprNode{left}}
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.word("not") {
			n.not = true
			if err := p.advance(); err != nil {
				return nil, err
			}
		}
		if p.word("true") || p.word("false") {
			return nil, p.errorf(p.tok.pos, "is takes null only; write = %s", p.tok.text)
		}
		if err := p.expect(tokWord, "null"); err != nil {
			return nil, err
		}
		left = n
	}
	p.depth = depth
	if op, ok := p.comparison(); ok {
		return nil, p.errorf(p.tok.pos, "comparisons do not chain: write a %s b and b %s c", exprWords[op], exprWords[op])
	}
	return left, nil
}

// parseTest takes what may follow the left side: a comparison, in, between.
func (p *exprParser) parseTest(left *exprNode) (*exprNode, error) {
	n := &exprNode{pos: p.tok.pos, kids: []*exprNode{left}}
	if op, ok := p.comparison(); ok {
		n.op = op
		if err := p.advance(); err != nil {
			return nil, err
		}
		right, err := p.parseSum()
		n.kids = append(n.kids, right)
		return n, err
	}
	if p.word("not") {
		n.not = true
		if err := p.advance(); err != nil {
			return nil, err
		}
		if !p.word("in") && !p.word("between") {
			return nil, p.unexpected("in or between")
		}
	}
	switch {
	case p.word("in"):
		n.op = opIn
		if err := p.advance(); err != nil {
			return nil, err
		}
		return n, p.list(n)
	case p.word("between"):
		n.op = opBetween
		if err := p.advance(); err != nil {
			return nil, err
		}
		low, err := p.parseSum()
		if err != nil {
			return nil, err
		}
		if err := p.expect(tokWord, "and"); err != nil {
			return nil, err
		}
		high, err := p.parseSum()
		n.kids = append(n.kids, low, high)
		return n, err
	}
	return left, nil
}

func (p *exprParser) comparison() (exprOp, bool) {
	if p.tok.kind != tokSign {
		return 0, false
	}
	switch p.tok.text {
	case "=":
		return opEq, true
	case "<>", "!=":
		return opNe, true
	case "<":
		return opLt, true
	case "<=":
		return opLe, true
	case ">":
		return opGt, true
	case ">=":
		return opGe, true
	}
	return 0, false
}

// list reads "(a, b, ...)" onto n's kids.
func (p *exprParser) list(n *exprNode) error {
	if err := p.expect(tokSign, "("); err != nil {
		return err
	}
	if err := p.enter(); err != nil {
		return err
	}
	for {
		k, err := p.parseOr()
		if err != nil {
			return err
		}
		n.kids = append(n.kids, k)
		if !p.is(tokSign, ",") {
			break
		}
		if err := p.advance(); err != nil {
			return err
		}
	}
	p.depth--
	return p.expect(tokSign, ")")
}

func (p *exprParser) parseSum() (*exprNode, error) {
	return p.arithmetic(opAdd, opSub, func() (*exprNode, error) { return p.arithmetic(opMul, opDiv, p.parseUnary) })
}

func (p *exprParser) arithmetic(a, b exprOp, operand func() (*exprNode, error)) (*exprNode, error) {
	left, err := operand()
	depth := p.depth
	for err == nil && (p.is(tokSign, exprWords[a]) || p.is(tokSign, exprWords[b])) {
		n := &exprNode{op: a, pos: p.tok.pos, kids: []*exprNode{left, nil}}
		if p.tok.text == exprWords[b] {
			n.op = b
		}
		if err = p.enter(); err != nil {
			return nil, err
		}
		if err = p.advance(); err != nil {
			return nil, err
		}
		n.kids[1], err = operand()
		left = n
	}
	p.depth = depth
	return left, err
}

func (p *exprParser) parseUnary() (*exprNode, error) {
	if p.is(tokSign, "+") {
		return nil, p.unexpected("a column, a number, text or (")
	}
	if !p.is(tokSign, "-") {
		return p.parsePrimary()
	}
	pos := p.tok.pos
	if err := p.enter(); err != nil {
		return nil, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.tok.kind == tokNumber {
		p.depth--
		return p.numberNode("-", pos)
	}
	k, err := p.parseUnary()
	p.depth--
	if err != nil {
		return nil, err
	}
	if k.op == opLiteral && (k.val.Kind() == tidemill.KindFloat || k.val.Kind() == tidemill.KindInt) {
		k.val, k.pos = negate(k.val), pos
		return k, nil
	}
	return &exprNode{op: opNeg, pos: pos, kids: []*exprNode{k}}, nil
}

func (p *exprParser) numberNode(sign string, pos int) (*exprNode, error) {
	n := &exprNode{op: opLiteral, pos: pos}
	text := sign + p.tok.text
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		n.val = tidemill.Int(i)
		return n, p.advance()
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, p.errorf(pos, "%s is too large for a number", text)
	}
	n.val = tidemill.Float(f)
	return n, p.advance()
}

func (p *exprParser) parsePrimary() (*exprNode, error) {
	n := &exprNode{op: opLiteral, pos: p.tok.pos}
	switch p.tok.kind {
	case tokNumber:
		return p.numberNode("", p.tok.pos)
	case tokText:
		n.val = tidemill.Text(p.tok.text)
		return n, p.advance()
	case tokName:
		n.op, n.name = opColumn, p.tok.text
		return n, p.advance()
	case tokSign:
		if p.tok.text == "(" {
			return p.parseGroup()
		}
	case tokWord:
		switch p.tok.text {
		case "null":
			n.val = tidemill.Null()
			return n, p.advance()
		case "true", "false":
			n.val = tidemill.Bool(p.tok.text == "true")
			return n, p.advance()
		case "case":
			return p.parseCase(n)
		}
		if !isExprWord(p.tok.text) {
			return p.parseName(n)
		}
		for i, f := range exprFunctions {
			if p.tok.text == f {
				n.op = opCoalesce + exprOp(i)
				return p.parseCall(n)
			}
		}
	}
	return nil, p.unexpected("a column, a number, text or (")
}

func (p *exprParser) parseGroup() (*exprNode, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	k, err := p.parseOr()
	if err != nil {
		return nil, err
	}
	p.depth--
	return k, p.expect(tokSign, ")")
}

func (p *exprParser) parseName(n *exprNode) (*exprNode, error) {
	t := p.tok
	if err := p.advance(); err != nil {
		return nil, err
	}
	if p.is(tokSign, "(") {
		if s := Nearest(t.text, exprFunctions[:]); s != "" {
			return nil, p.errorf(t.pos, "there is no function %q; the nearest is %q", t.raw, s)
		}
		return nil, p.errorf(t.pos, "there is no function %q; there are %s", t.raw, strings.Join(exprFunctions[:], ", "))
	}
	n.op, n.name = opColumn, t.text
	return n, nil
}

func (p *exprParser) parseCall(n *exprNode) (*exprNode, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	if err := p.list(n); err != nil {
		return nil, err
	}
	if n.op != opCoalesce && len(n.kids) != 1 {
		return nil, p.errorf(n.pos, "%s takes one value", exprWords[n.op])
	}
	return n, nil
}

func (p *exprParser) parseCase(n *exprNode) (*exprNode, error) {
	n.op = opCase
	if err := p.enter(); err != nil {
		return nil, err
	}
	if err := p.advance(); err != nil {
		return nil, err
	}
	if !p.word("when") {
		return nil, p.unexpected("when")
	}
	for p.word("when") {
		for _, end := range [...]string{"then", ""} {
			if err := p.advance(); err != nil {
				return nil, err
			}
			k, err := p.parseOr()
			if err != nil {
				return nil, err
			}
			n.kids = append(n.kids, k)
			if end != "" && !p.word(end) {
				return nil, p.unexpected(end)
			}
		}
	}
	otherwise := &exprNode{op: opLiteral, pos: p.tok.pos, val: tidemill.Null()}
	if p.word("else") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		k, err := p.parseOr()
		if err != nil {
			return nil, err
		}
		otherwise = k
	}
	n.kids = append(n.kids, otherwise)
	p.depth--
	return n, p.expect(tokWord, "end")
}

package expr

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
)

// Expr is an expression over one row: a subset of SQL with three-valued logic. It is immutable.
//
//	= <> != < <= > >=    and or not    in (...)    between a and b    is [not] null
//	+ - * /    unary -    coalesce(a, b, ...)    lower(a)    upper(a)
//	case when a then b ... else c end    true false null    12  1.5  'text'    column    "quoted column"
//
// Words are read in any case; names of columns are exact. NULL behaves as in SQL: a comparison with it is NULL, and
// false and NULL is false. Beyond that:
//
//   - A value that the source did not send (Unknown) gives Unknown wherever it could change the result: it is not NULL.
//   - Integers add, subtract and multiply exactly; past 64 bits the result is a float. An integer divided by an integer
//     is cut towards zero. Anything divided by zero is NULL, and so is a NaN.
//   - Decimals compare exactly with decimals and integers, and count as floats in arithmetic and beside floats.
//   - Times compare with times and with ISO text literals ('2024-05-01', '2024-05-01 12:00:00+02'); a literal without a
//     zone is UTC. A time less a time is seconds; a time plus or less a number of seconds is a time.
//   - Booleans compare with numbers as 0 and 1, and a number counts as true unless it is 0.
//   - Text compares by its bytes. Text beside a number, which only columns without a declared type allow, counts as the
//     number it spells, else NULL.
//   - Values of foreign types (enums, uuids) are equal to text that spells them, and have no order.
type Expr struct {
	src  string
	root *exprNode
}

// ExprError is what is wrong in an expression.
type Error struct {
	Expr   string // the whole expression
	Col    int    // the place: its character, from 1
	Reason string // what is wrong and what would be right
}

// Error is "expression `a >> 5`, column 4: ...".
func (e *Error) Error() string {
	return "expression `" + e.Expr + "`, column " + strconv.Itoa(e.Col) + ": " + e.Reason
}

// ParseExpr parses src. The error is an *ExprError.
func Parse(src string) (*Expr, error) {
	root, err := parseExpr(src)
	if err != nil {
		return nil, err
	}
	return &Expr{src: src, root: root}, nil
}

// Columns names the columns that the expression reads, each once, in order of appearance.
func (e *Expr) Columns() []string {
	var names []string
	e.root.walk(func(n *exprNode) {
		if n.op != opColumn {
			return
		}
		for _, s := range names {
			if s == n.name {
				return
			}
		}
		names = append(names, n.name)
	})
	return names
}

// String is the canonical text: equal for expressions that differ in spaces, case of words, or needless parentheses.
func (e *Expr) String() string {
	var b strings.Builder
	e.root.write(&b, 0)
	return b.String()
}

func (e *Expr) errorAt(pos int, reason string) *Error {
	return &Error{Expr: e.src, Col: utf8.RuneCountInString(e.src[:pos]) + 1, Reason: reason}
}

type exprOp uint8

const (
	opLiteral exprOp = iota
	opColumn
	opOr
	opAnd
	opNot
	opEq
	opNe
	opLt
	opLe
	opGt
	opGe
	opIn      // kids[0] in kids[1:]
	opBetween // kids[0] between kids[1] and kids[2]
	opIsNull
	opAdd
	opSub
	opMul
	opDiv
	opNeg
	opCoalesce
	opLower
	opUpper
	opCase // when, then, when, then, ..., else (always there)
)

var exprWords = [...]string{opOr: "or", opAnd: "and", opNot: "not", opEq: "=", opNe: "<>", opLt: "<", opLe: "<=",
	opGt: ">", opGe: ">=", opIn: "in", opBetween: "between", opIsNull: "is null", opAdd: "+", opSub: "-", opMul: "*",
	opDiv: "/", opNeg: "-", opCoalesce: "coalesce", opLower: "lower", opUpper: "upper", opCase: "case"}

// exprLevels is how tightly an operator binds; 9 needs no parentheses anywhere.
var exprLevels = [...]int{opLiteral: 9, opColumn: 9, opOr: 1, opAnd: 2, opNot: 3, opEq: 4, opNe: 4, opLt: 4, opLe: 4,
	opGt: 4, opGe: 4, opIn: 4, opBetween: 4, opIsNull: 4, opAdd: 5, opSub: 5, opMul: 6, opDiv: 6, opNeg: 7,
	opCoalesce: 9, opLower: 9, opUpper: 9, opCase: 9}

type exprNode struct {
	op   exprOp
	not  bool // not in, not between, is not null
	pos  int  // byte offset in the source
	val  tidemill.Value
	name string
	kids []*exprNode
}

func (n *exprNode) walk(f func(*exprNode)) {
	f(n)
	for _, k := range n.kids {
		k.walk(f)
	}
}

// write appends the canonical text, in parentheses where n binds less tightly than level.
func (n *exprNode) write(b *strings.Builder, level int) {
	own := exprLevels[n.op]
	if n.op == opLiteral && n.negative() {
		own = exprLevels[opNeg]
	}
	if own < level {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	not := ""
	if n.not {
		not = "not "
	}
	switch n.op {
	case opLiteral:
		b.WriteString(literalText(n.val))
	case opColumn:
		b.WriteString(QuoteName(n.name))
	case opOr, opAnd, opAdd, opSub, opMul, opDiv:
		n.kids[0].write(b, own)
		b.WriteString(" " + exprWords[n.op] + " ")
		n.kids[1].write(b, own+1)
	case opEq, opNe, opLt, opLe, opGt, opGe:
		n.kids[0].write(b, own+1)
		b.WriteString(" " + exprWords[n.op] + " ")
		n.kids[1].write(b, own+1)
	case opNot:
		b.WriteString("not ")
		n.kids[0].write(b, own)
	case opNeg:
		b.WriteByte('-')
		n.kids[0].write(b, own+1)
	case opIn:
		n.kids[0].write(b, own+1)
		b.WriteString(" " + not + "in (")
		writeList(b, n.kids[1:])
	case opBetween:
		n.kids[0].write(b, own+1)
		b.WriteString(" " + not + "between ")
		n.kids[1].write(b, own+1)
		b.WriteString(" and ")
		n.kids[2].write(b, own+1)
	case opIsNull:
		n.kids[0].write(b, own+1)
		b.WriteString(" is " + not + "null")
	case opCoalesce, opLower, opUpper:
		b.WriteString(exprWords[n.op] + "(")
		writeList(b, n.kids)
	case opCase:
		n.writeCase(b)
	}
}

func (n *exprNode) writeCase(b *strings.Builder) {
	b.WriteString("case")
	last := len(n.kids) - 1
	for i := 0; i < last; i += 2 {
		b.WriteString(" when ")
		n.kids[i].write(b, 0)
		b.WriteString(" then ")
		n.kids[i+1].write(b, 0)
	}
	if e := n.kids[last]; e.op != opLiteral || !e.val.IsNull() {
		b.WriteString(" else ")
		e.write(b, 0)
	}
	b.WriteString(" end")
}

func writeList(b *strings.Builder, list []*exprNode) {
	for i, k := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		k.write(b, 0)
	}
	b.WriteByte(')')
}

func (n *exprNode) negative() bool {
	switch n.val.Kind() {
	case tidemill.KindInt:
		return n.val.Int() < 0
	case tidemill.KindFloat:
		return literalText(n.val)[0] == '-'
	}
	return false
}

func literalText(v tidemill.Value) string {
	switch v.Kind() {
	case tidemill.KindNull:
		return "null"
	case tidemill.KindText:
		return "'" + strings.ReplaceAll(v.Str(), "'", "''") + "'"
	case tidemill.KindFloat:
		s := strconv.FormatFloat(v.Float(), 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0" // stays a float when it is read again
		}
		return s
	}
	return v.String()
}

// QuoteName is a column's name as an expression has it: in double quotes where it is no plain word.
func QuoteName(s string) string {
	plain := s != "" && !isExprWord(s)
	for i := 0; plain && i < len(s); i++ {
		plain = isNameByte(s[i]) && (i > 0 || s[i] < '0' || s[i] > '9')
	}
	if plain {
		return s
	}
	return `"` + strings.ReplaceAll(s, `"`, `""`) + `"`
}

// Boolean reports whether the expression is true, false or NULL for the rows of any table.
func (e *Expr) Boolean() bool {
	switch e.root.op {
	case opOr, opAnd, opNot, opEq, opNe, opLt, opLe, opGt, opGe, opIn, opBetween, opIsNull:
		return true
	}
	return e.root.op == opLiteral && e.root.val.Kind() == tidemill.KindBool
}

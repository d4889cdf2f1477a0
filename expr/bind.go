package expr

import (
	"fmt"
	"strings"

	"github.com/tidemill/tidemill"
)

// Bound is an expression made ready for the rows of one table. It is immutable, and safe for concurrent use.
type Bound struct {
	eval evaluator
	kind tidemill.Kind
}

type evaluator func(row []tidemill.Value) tidemill.Value

// Eval is the expression's value for a row in the order of the table's columns; columns beyond its end are Unknown.
// Numbers and booleans allocate nothing; texts may share the row's memory.
func (b *Bound) Eval(row []tidemill.Value) tidemill.Value { return b.eval(row) }

// True reports whether the expression is true for the row: not false, NULL or Unknown.
func (b *Bound) True(row []tidemill.Value) bool { return truthOf(b.eval(row)) == isTrue }

// Kind is the kind of the values other than NULL and Unknown that Eval gives. It is KindUnknown where a column's kind
// is known only from its values, and KindNull where nothing but NULL comes out. Integers may overflow into floats.
func (b *Bound) Kind() tidemill.Kind { return b.kind }

// Bind resolves the columns in t and checks the kinds. The error is an *ExprError: a column that t does not have, or a
// comparison that makes no sense, such as of text with a number.
func (e *Expr) Bind(t *tidemill.Table) (*Bound, error) {
	b := &binder{expr: e, table: t}
	p, err := b.bind(e.root)
	if err != nil {
		return nil, err
	}
	return &Bound{eval: p.eval, kind: p.kind}, nil
}

// BindCondition is Bind for an expression that has to hold: true, or a number other than 0.
// Text, times and bytes are errors.
func (e *Expr) BindCondition(t *tidemill.Table) (*Bound, error) {
	b, err := e.Bind(t)
	if err != nil {
		return nil, err
	}
	if k := b.kind; !anyKind(k) && k != tidemill.KindBool && !isNumber(k) {
		return nil, e.errorAt(e.root.pos, fmt.Sprintf("a condition is true or false, and %s is %s",
			part{node: e.root}, article(k)))
	}
	return b, nil
}

type binder struct {
	expr  *Expr
	table *tidemill.Table
}

// part is a bound subtree.
type part struct {
	node *exprNode
	eval evaluator
	kind tidemill.Kind
}

func (b *binder) errorf(n *exprNode, format string, a ...any) error {
	return b.expr.errorAt(n.pos, fmt.Sprintf(format, a...))
}

func (b *binder) bind(n *exprNode) (part, error) {
	switch n.op {
	case opLiteral:
		v := n.val
		return part{n, func([]tidemill.Value) tidemill.Value { return v }, v.Kind()}, nil
	case opColumn:
		return b.column(n)
	}
	kids := make([]part, len(n.kids))
	for i, k := range n.kids {
		var err error
		if kids[i], err = b.bind(k); err != nil {
			return part{}, err
		}
	}
	switch n.op {
	case opOr, opAnd, opNot:
		return b.logic(n, kids)
	case opEq, opNe, opLt, opLe, opGt, opGe, opIn, opBetween:
		return b.comparison(n, kids)
	case opIsNull:
		return part{n, evalIsNull(kids[0].eval, n.not), tidemill.KindBool}, nil
	case opAdd, opSub, opMul, opDiv, opNeg:
		return b.arithmetic(n, kids)
	case opLower, opUpper:
		if k := kids[0].kind; !anyKind(k) && k != tidemill.KindText && k != tidemill.KindOther {
			return part{}, b.errorf(n, "%s takes text, and %s is %s", exprWords[n.op], kids[0], article(k))
		}
		return part{n, evalFold(kids[0].eval, n.op == opUpper), tidemill.KindText}, nil
	case opCoalesce:
		kind, err := b.unify(n, kids, func(int) bool { return true })
		return part{n, evalCoalesce(evals(kids)), kind}, err
	default:
		return b.cases(n, kids)
	}
}

func (b *binder) column(n *exprNode) (part, error) {
	i := b.table.Col(n.name)
	if i < 0 {
		return part{}, b.noColumn(n)
	}
	return part{n, func(row []tidemill.Value) tidemill.Value {
		if i >= len(row) {
			return tidemill.Value{}
		}
		return row[i]
	}, b.table.Columns[i].Kind}, nil
}

func (b *binder) noColumn(n *exprNode) error {
	names := make([]string, len(b.table.Columns))
	for i := range names {
		names[i] = b.table.Columns[i].Name
	}
	mend := "the columns are " + strings.Join(names, ", ")
	if len(names) > 12 {
		mend = "its columns begin with " + strings.Join(names[:12], ", ")
	}
	if near := Nearest(n.name, names); near != "" {
		mend = fmt.Sprintf("the nearest is %q", near)
	} else if b.expr.src[n.pos] == '"' {
		mend = "text goes in single quotes: " + literalText(tidemill.Text(n.name))
	}
	return b.errorf(n, "table %s has no column %q; %s", b.table, n.name, mend)
}

func (b *binder) logic(n *exprNode, kids []part) (part, error) {
	for _, k := range kids {
		if !anyKind(k.kind) && k.kind != tidemill.KindBool && !isNumber(k.kind) {
			return part{}, b.errorf(k.node, "%s takes true or false, and %s is %s", exprWords[n.op], k, article(k.kind))
		}
	}
	var f evaluator
	switch n.op {
	case opNot:
		f = evalNot(kids[0].eval)
	case opAnd:
		f = evalAnd(kids[0].eval, kids[1].eval)
	default:
		f = evalOr(kids[0].eval, kids[1].eval)
	}
	return part{n, f, tidemill.KindBool}, nil
}

func (b *binder) comparison(n *exprNode, kids []part) (part, error) {
	equality := n.op == opEq || n.op == opNe || n.op == opIn
	for i := 1; i < len(kids); i++ {
		if err := b.comparable(n, &kids[0], &kids[i], equality); err != nil {
			return part{}, err
		}
	}
	var f evaluator
	switch n.op {
	case opIn:
		f = evalIn(kids[0].eval, evals(kids[1:]), n.not)
	case opBetween:
		f = evalBetween(kids[0].eval, kids[1].eval, kids[2].eval, n.not)
	default:
		f = evalCompare(n.op, kids[0].eval, kids[1].eval)
	}
	return part{n, f, tidemill.KindBool}, nil
}

// comparable checks that x and y compare, and turns an ISO text literal beside a time into a time.
func (b *binder) comparable(n *exprNode, x, y *part, equality bool) error {
	if err := b.literalTimes(x, y); err != nil {
		return err
	}
	k, l := x.kind, y.kind
	switch {
	case anyKind(k) || anyKind(l):
		return nil
	case isNumber(k) || k == tidemill.KindBool:
		if isNumber(l) || l == tidemill.KindBool {
			return nil
		}
	case (k == tidemill.KindText || k == tidemill.KindOther) && (l == tidemill.KindText || l == tidemill.KindOther):
		if equality || k == tidemill.KindText && l == tidemill.KindText {
			return nil
		}
		return b.errorf(n, "%s has a foreign type, which has no order: only = <> and in",
			choose(k == tidemill.KindOther, *x, *y))
	case k == l:
		return nil
	}
	hint := ""
	for _, p := range [...][2]*part{{x, y}, {y, x}} {
		lit, other := p[0], p[1]
		switch {
		case lit.node.op != opLiteral:
		case isNumber(lit.kind) && other.kind == tidemill.KindText:
			hint = "; as text it is '" + literalText(lit.node.val) + "'"
		case lit.kind == tidemill.KindText && isNumber(other.kind):
			hint = "; a number has no quotes"
		}
	}
	return b.errorf(n, "%s is %s and %s is %s: they do not compare%s", *x, article(k), *y, article(l), hint)
}

func choose(first bool, x, y part) part {
	if first {
		return x
	}
	return y
}

// literalTimes turns a text literal beside a time into a time.
func (b *binder) literalTimes(x, y *part) error {
	if x.kind == tidemill.KindTime {
		return b.literalTime(y)
	}
	if y.kind == tidemill.KindTime {
		return b.literalTime(x)
	}
	return nil
}

func (b *binder) literalTime(p *part) error {
	if p.node.op != opLiteral || p.kind != tidemill.KindText {
		return nil
	}
	micros, ok := ParseTime(p.node.val.Str())
	if !ok {
		return b.errorf(p.node, "%s is no ISO time; write '2024-05-01' or '2024-05-01 12:00:00'", *p)
	}
	v := tidemill.Timestamp(micros)
	p.eval, p.kind = func([]tidemill.Value) tidemill.Value { return v }, tidemill.KindTime
	return nil
}

func (b *binder) arithmetic(n *exprNode, kids []part) (part, error) {
	x := kids[0]
	y := part{kind: x.kind}
	if n.op != opNeg {
		y = kids[1]
	}
	if n.op == opSub {
		if err := b.literalTimes(&x, &y); err != nil {
			return part{}, err
		}
	}
	kind, ok := arithmeticKind(n.op, x.kind, y.kind)
	if !ok {
		for _, k := range kids {
			if !isNumber(k.kind) && !anyKind(k.kind) && k.kind != tidemill.KindTime {
				return part{}, b.errorf(n, "%s takes numbers, and %s is %s", exprWords[n.op], k, article(k.kind))
			}
		}
		return part{}, b.errorf(n, "%s does not go with times: a time less a time is seconds, a time plus or less seconds "+
			"is a time",
			exprWords[n.op])
	}
	if n.op == opNeg {
		return part{n, evalNegate(x.eval), kind}, nil
	}
	return part{n, evalArithmetic(n.op, x.eval, y.eval), kind}, nil
}

// arithmeticKind is the kind of x op y; ok is false where it makes no sense.
func arithmeticKind(op exprOp, x, y tidemill.Kind) (kind tidemill.Kind, ok bool) {
	numeric := func(k tidemill.Kind) bool { return isNumber(k) || anyKind(k) }
	switch {
	case x == tidemill.KindTime && y == tidemill.KindTime && op == opSub:
		return tidemill.KindFloat, true
	case x == tidemill.KindTime && numeric(y) && (op == opAdd || op == opSub):
		return choose2(y == tidemill.KindUnknown && op == opSub, tidemill.KindUnknown, tidemill.KindTime), true
	case y == tidemill.KindTime && numeric(x) && (op == opAdd || op == opSub && anyKind(x)):
		return choose2(op == opSub, tidemill.KindUnknown, tidemill.KindTime), true
	case !numeric(x) || !numeric(y):
		return 0, false
	case x == tidemill.KindNull || y == tidemill.KindNull:
		return tidemill.KindNull, true
	case x == tidemill.KindUnknown || y == tidemill.KindUnknown:
		return tidemill.KindUnknown, true
	case x == tidemill.KindInt && y == tidemill.KindInt:
		return tidemill.KindInt, true
	}
	return tidemill.KindFloat, true
}

func choose2(first bool, x, y tidemill.Kind) tidemill.Kind {
	if first {
		return x
	}
	return y
}

func (b *binder) cases(n *exprNode, kids []part) (part, error) {
	last := len(kids) - 1
	var when, then []evaluator
	for i := 0; i < last; i += 2 {
		if k := kids[i].kind; !anyKind(k) && k != tidemill.KindBool && !isNumber(k) {
			return part{}, b.errorf(kids[i].node, "when takes true or false, and %s is %s", kids[i], article(k))
		}
	}
	kind, err := b.unify(n, kids, func(i int) bool { return i == last || i%2 == 1 })
	if err != nil {
		return part{}, err
	}
	for i := 0; i < last; i += 2 {
		when, then = append(when, kids[i].eval), append(then, kids[i+1].eval)
	}
	return part{n, evalCase(when, then, kids[last].eval), kind}, nil
}

// unify is the common kind of those kids that pick chooses, all of which may be the result.
func (b *binder) unify(n *exprNode, kids []part, pick func(i int) bool) (tidemill.Kind, error) {
	timed := false
	for i := range kids {
		timed = timed || pick(i) && kids[i].kind == tidemill.KindTime
	}
	for i := range kids {
		if timed && pick(i) {
			if err := b.literalTime(&kids[i]); err != nil {
				return 0, err
			}
		}
	}
	var common *part
	kind := tidemill.KindNull
	for i := range kids {
		if !pick(i) || kids[i].kind == tidemill.KindNull {
			continue
		}
		k := kids[i].kind
		switch {
		case common == nil:
			common, kind = &kids[i], k
		case k == kind, kind == tidemill.KindUnknown:
		case k == tidemill.KindUnknown:
			kind = k
		case isNumber(k) && isNumber(kind):
			kind = choose2(k == tidemill.KindFloat || kind == tidemill.KindFloat, tidemill.KindFloat, tidemill.KindDecimal)
		case (k == tidemill.KindText || k == tidemill.KindOther) && (kind == tidemill.KindText || kind == tidemill.KindOther):
			kind = tidemill.KindText
		default:
			return 0, b.errorf(n, "%s gives either %s, which is %s, or %s, which is %s: write one kind", exprWords[n.op],
				*common, article(common.kind), kids[i], article(k))
		}
	}
	return kind, nil
}

// String is the part's canonical text, cut where it is long: for messages.
func (p part) String() string {
	var b strings.Builder
	p.node.write(&b, 0)
	if s := []rune(b.String()); len(s) > 40 {
		return string(s[:37]) + "..."
	}
	return b.String()
}

func evals(parts []part) []evaluator {
	list := make([]evaluator, len(parts))
	for i := range parts {
		list[i] = parts[i].eval
	}
	return list
}

func isNumber(k tidemill.Kind) bool {
	return k == tidemill.KindInt || k == tidemill.KindFloat || k == tidemill.KindDecimal
}

// anyKind is true where only the values tell the kind.
func anyKind(k tidemill.Kind) bool { return k == tidemill.KindUnknown || k == tidemill.KindNull }

// article is the kind as a sentence needs it.
func article(k tidemill.Kind) string {
	switch k {
	case tidemill.KindBool:
		return "a boolean"
	case tidemill.KindInt, tidemill.KindFloat, tidemill.KindDecimal:
		return "a number"
	case tidemill.KindTime:
		return "a time"
	case tidemill.KindOther:
		return "of a foreign type"
	}
	return k.String()
}

package expr

import (
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/tidemill/tidemill"
)

// truth is SQL's three values and Unknown.
type truth uint8

const (
	isFalse truth = iota
	isTrue
	isNull
	isUnknown
)

func (t truth) value() tidemill.Value {
	switch t {
	case isFalse:
		return tidemill.Bool(false)
	case isTrue:
		return tidemill.Bool(true)
	case isNull:
		return tidemill.Null()
	}
	return tidemill.Value{}
}

func (t truth) not() truth {
	switch t {
	case isFalse:
		return isTrue
	case isTrue:
		return isFalse
	}
	return t
}

// and keeps Unknown where the value that was not sent could still make it false.
func (t truth) and(u truth) truth {
	switch {
	case t == isFalse || u == isFalse:
		return isFalse
	case t == isUnknown || u == isUnknown:
		return isUnknown
	case t == isNull || u == isNull:
		return isNull
	}
	return isTrue
}

// Holds reports whether a condition with the value v is met: SQL's true, or a number other than
// 0, as SQLite's booleans are.
func Holds(v tidemill.Value) bool { return truthOf(v) == isTrue }

func truthOf(v tidemill.Value) truth {
	switch v.Kind() {
	case tidemill.KindBool:
		return truth(v.Int())
	case tidemill.KindUnknown:
		return isUnknown
	case tidemill.KindNull:
		return isNull
	case tidemill.KindInt:
		return truthIf(v.Bool())
	}
	f, ok := v.Number()
	if !ok || f != f {
		return isNull
	}
	return truthIf(f != 0)
}

func truthIf(b bool) truth {
	if b {
		return isTrue
	}
	return isFalse
}

func evalNot(x evaluator) evaluator {
	return func(row []tidemill.Value) tidemill.Value { return truthOf(x(row)).not().value() }
}

func evalAnd(x, y evaluator) evaluator {
	return func(row []tidemill.Value) tidemill.Value {
		t := truthOf(x(row))
		if t == isFalse {
			return tidemill.Bool(false)
		}
		return t.and(truthOf(y(row))).value()
	}
}

func evalOr(x, y evaluator) evaluator {
	return func(row []tidemill.Value) tidemill.Value {
		t := truthOf(x(row))
		if t == isTrue {
			return tidemill.Bool(true)
		}
		return t.not().and(truthOf(y(row)).not()).not().value()
	}
}

func evalIsNull(x evaluator, not bool) evaluator {
	return func(row []tidemill.Value) tidemill.Value {
		v := x(row)
		if v.Kind() == tidemill.KindUnknown {
			return v
		}
		return tidemill.Bool((v.Kind() == tidemill.KindNull) != not)
	}
}

func evalCompare(op exprOp, x, y evaluator) evaluator {
	return func(row []tidemill.Value) tidemill.Value { return compare(op, x(row), y(row)).value() }
}

func evalBetween(x, low, high evaluator, not bool) evaluator {
	return func(row []tidemill.Value) tidemill.Value {
		v := x(row)
		t := compare(opGe, v, low(row)).and(compare(opLe, v, high(row)))
		if not {
			t = t.not()
		}
		return t.value()
	}
}

func evalIn(x evaluator, list []evaluator, not bool) evaluator {
	return func(row []tidemill.Value) tidemill.Value {
		v := x(row)
		if v.Kind() == tidemill.KindNull {
			return v
		}
		t := isTrue // that v differs from all
		for _, y := range list {
			if t = t.and(compare(opNe, v, y(row))); t == isFalse {
				break
			}
		}
		if !not {
			t = t.not()
		}
		return t.value()
	}
}

func evalCoalesce(list []evaluator) evaluator {
	return func(row []tidemill.Value) tidemill.Value {
		for _, x := range list {
			if v := x(row); v.Kind() != tidemill.KindNull {
				return v
			}
		}
		return tidemill.Null()
	}
}

func evalCase(when, then []evaluator, otherwise evaluator) evaluator {
	return func(row []tidemill.Value) tidemill.Value {
		for i, w := range when {
			switch truthOf(w(row)) {
			case isTrue:
				return then[i](row)
			case isUnknown:
				return tidemill.Value{}
			}
		}
		return otherwise(row)
	}
}

func evalFold(x evaluator, upper bool) evaluator {
	return func(row []tidemill.Value) tidemill.Value {
		v := x(row)
		if anyKind(v.Kind()) {
			return v
		}
		s := v.Str()
		if v.Bytes() == nil {
			s = string(v.AppendText(nil))
		}
		for i := 0; i < len(s); i++ {
			c := s[i]
			if c >= utf8.RuneSelf || upper && c-'a' < 26 || !upper && c-'A' < 26 {
				if upper {
					return tidemill.Text(strings.ToUpper(s))
				}
				return tidemill.Text(strings.ToLower(s))
			}
		}
		return tidemill.Text(s)
	}
}

// compare is x op y. NULL decides before Unknown does: whatever was not sent, a comparison with NULL is NULL.
func compare(op exprOp, x, y tidemill.Value) truth {
	if x.Kind() == tidemill.KindNull || y.Kind() == tidemill.KindNull {
		return isNull
	}
	if x.Kind() == tidemill.KindUnknown || y.Kind() == tidemill.KindUnknown {
		return isUnknown
	}
	c, ok := order(x, y)
	if !ok {
		return isNull
	}
	switch op {
	case opEq:
		return truthIf(c == 0)
	case opNe:
		return truthIf(c != 0)
	case opLt:
		return truthIf(c < 0)
	case opLe:
		return truthIf(c <= 0)
	case opGt:
		return truthIf(c > 0)
	}
	return truthIf(c >= 0)
}

// order is -1, 0 or 1; ok is false where x and y have no order: a NaN, text that is no number beside a number.
func order(x, y tidemill.Value) (c int, ok bool) {
	if x.Kind() == tidemill.KindBool {
		x = tidemill.Int(x.Int())
	}
	if y.Kind() == tidemill.KindBool {
		y = tidemill.Int(y.Int())
	}
	switch {
	case x.Kind() == tidemill.KindInt && y.Kind() == tidemill.KindInt:
		return cmp3(x.Int(), y.Int()), true
	case isNumber(x.Kind()) && isNumber(y.Kind()):
		return orderNumbers(x, y)
	case isNumber(x.Kind()):
		return orderNumberText(x, y)
	case isNumber(y.Kind()):
		c, ok = orderNumberText(y, x)
		return -c, ok
	case x.Kind() == tidemill.KindTime && y.Kind() == tidemill.KindTime:
		return cmp3(x.Int(), y.Int()), true
	case x.Kind() == tidemill.KindTime:
		return orderTimeText(x, y)
	case y.Kind() == tidemill.KindTime:
		c, ok = orderTimeText(y, x)
		return -c, ok
	case (x.Kind() == tidemill.KindBytes) == (y.Kind() == tidemill.KindBytes):
		return strings.Compare(x.Str(), y.Str()), true
	}
	return 0, false
}

func cmp3[T int | int64 | uint64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func orderNumbers(x, y tidemill.Value) (int, bool) {
	switch {
	case x.Kind() == tidemill.KindFloat && y.Kind() == tidemill.KindFloat:
		return orderFloats(x.Float(), y.Float())
	case x.Kind() == tidemill.KindInt && y.Kind() == tidemill.KindFloat:
		return orderIntFloat(x.Int(), y.Float())
	case x.Kind() == tidemill.KindFloat && y.Kind() == tidemill.KindInt:
		c, ok := orderIntFloat(y.Int(), x.Float())
		return -c, ok
	}
	if x.Kind() != tidemill.KindFloat && y.Kind() != tidemill.KindFloat {
		if c, ok := orderDecimals(x, y); ok {
			return c, true
		}
	}
	f, ok := x.Number()
	g, ok2 := y.Number()
	if !ok || !ok2 {
		return 0, false
	}
	return orderFloats(f, g)
}

func orderFloats(f, g float64) (int, bool) { return cmp3(f, g), f == f && g == g }

// orderIntFloat compares without rounding the integer.
func orderIntFloat(i int64, f float64) (int, bool) {
	switch {
	case f != f:
		return 0, false
	case f >= 1<<63:
		return -1, true
	case f < -1<<63:
		return 1, true
	}
	whole := math.Trunc(f)
	if c := cmp3(i, int64(whole)); c != 0 {
		return c, true
	}
	return cmp3(whole, f), true
}

// orderNumberText compares a number with what a column without a declared type may hold.
func orderNumberText(x, t tidemill.Value) (int, bool) {
	if t.Kind() != tidemill.KindText && t.Kind() != tidemill.KindOther {
		return 0, false
	}
	f, ok := tidemill.Text(t.Str()).Number()
	g, ok2 := x.Number()
	if !ok || !ok2 {
		return 0, false
	}
	return orderFloats(g, f)
}

func orderTimeText(x, t tidemill.Value) (int, bool) {
	if t.Kind() != tidemill.KindText && t.Kind() != tidemill.KindOther {
		return 0, false
	}
	switch t.Str() {
	case "infinity":
		return -1, true
	case "-infinity":
		return 1, true
	}
	micros, ok := ParseTime(t.Str())
	return cmp3(x.Int(), micros), ok
}

func evalNegate(x evaluator) evaluator {
	return func(row []tidemill.Value) tidemill.Value { return negate(x(row)) }
}

func negate(v tidemill.Value) tidemill.Value {
	switch {
	case anyKind(v.Kind()):
		return v
	case v.Kind() == tidemill.KindInt && v.Int() != math.MinInt64:
		return tidemill.Int(-v.Int())
	}
	f, ok := v.Number()
	if !ok {
		return tidemill.Null()
	}
	return floatOrNull(-f)
}

func floatOrNull(f float64) tidemill.Value {
	if f != f {
		return tidemill.Null()
	}
	return tidemill.Float(f)
}

func evalArithmetic(op exprOp, x, y evaluator) evaluator {
	return func(row []tidemill.Value) tidemill.Value { return calculate(op, x(row), y(row)) }
}

func calculate(op exprOp, x, y tidemill.Value) tidemill.Value {
	switch {
	case x.Kind() == tidemill.KindNull || y.Kind() == tidemill.KindNull:
		return tidemill.Null()
	case x.Kind() == tidemill.KindUnknown || y.Kind() == tidemill.KindUnknown:
		return tidemill.Value{}
	case x.Kind() == tidemill.KindInt && y.Kind() == tidemill.KindInt:
		if v, ok := calculateInts(op, x.Int(), y.Int()); ok {
			return v
		}
	case x.Kind() == tidemill.KindTime || y.Kind() == tidemill.KindTime:
		return calculateTimes(op, x, y)
	}
	f, ok := x.Number()
	g, ok2 := y.Number()
	if !ok || !ok2 {
		return tidemill.Null()
	}
	switch op {
	case opAdd:
		return floatOrNull(f + g)
	case opSub:
		return floatOrNull(f - g)
	case opMul:
		return floatOrNull(f * g)
	}
	if g == 0 {
		return tidemill.Null()
	}
	return floatOrNull(f / g)
}

// calculateInts is exact; ok is false where the result has no 64 bits.
func calculateInts(op exprOp, a, b int64) (v tidemill.Value, ok bool) {
	switch op {
	case opAdd:
		s := a + b
		return tidemill.Int(s), (s > a) == (b > 0)
	case opSub:
		s := a - b
		return tidemill.Int(s), (s < a) == (b > 0)
	case opMul:
		return multiply(a, b)
	}
	if b == 0 {
		return tidemill.Null(), true
	}
	if a == math.MinInt64 && b == -1 {
		return tidemill.Value{}, false
	}
	return tidemill.Int(a / b), true
}

func multiply(a, b int64) (v tidemill.Value, ok bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	if negative := (a < 0) != (b < 0); negative {
		return tidemill.Int(-int64(low)), high == 0 && low <= 1<<63
	}
	return tidemill.Int(int64(low)), high == 0 && low < 1<<63
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

func calculateTimes(op exprOp, x, y tidemill.Value) tidemill.Value {
	if x.Kind() == tidemill.KindTime && y.Kind() == tidemill.KindTime {
		if op == opSub {
			return tidemill.Float(float64(x.Int()-y.Int()) / 1e6)
		}
		return tidemill.Null()
	}
	if y.Kind() == tidemill.KindTime && op == opAdd {
		x, y = y, x
	}
	seconds, ok := y.Number()
	if x.Kind() != tidemill.KindTime || !ok || op != opAdd && op != opSub {
		return tidemill.Null()
	}
	if op == opSub {
		seconds = -seconds
	}
	micros := math.Round(seconds * 1e6)
	if !(math.Abs(micros) < 1<<61) {
		return tidemill.Null()
	}
	return tidemill.Timestamp(x.Int() + int64(micros))
}

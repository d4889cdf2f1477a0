package tidemill

import (
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"
)

// truth is SQL's three values and Unknown.
type truth uint8

const (
	isFalse truth = iota
	isTrue
	isNull
	isUnknown
)

func (t truth) value() Value {
	switch t {
	case isFalse:
		return Bool(false)
	case isTrue:
		return Bool(true)
	case isNull:
		return Null()
	}
	return Value{}
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

func truthOf(v Value) truth {
	switch v.kind {
	case KindBool:
		return truth(v.num)
	case KindUnknown:
		return isUnknown
	case KindNull:
		return isNull
	case KindInt:
		return truthIf(v.num != 0)
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
	return func(row []Value) Value { return truthOf(x(row)).not().value() }
}

func evalAnd(x, y evaluator) evaluator {
	return func(row []Value) Value {
		t := truthOf(x(row))
		if t == isFalse {
			return Bool(false)
		}
		return t.and(truthOf(y(row))).value()
	}
}

func evalOr(x, y evaluator) evaluator {
	return func(row []Value) Value {
		t := truthOf(x(row))
		if t == isTrue {
			return Bool(true)
		}
		return t.not().and(truthOf(y(row)).not()).not().value()
	}
}

func evalIsNull(x evaluator, not bool) evaluator {
	return func(row []Value) Value {
		v := x(row)
		if v.kind == KindUnknown {
			return v
		}
		return Bool((v.kind == KindNull) != not)
	}
}

func evalCompare(op exprOp, x, y evaluator) evaluator {
	return func(row []Value) Value { return compare(op, x(row), y(row)).value() }
}

func evalBetween(x, low, high evaluator, not bool) evaluator {
	return func(row []Value) Value {
		v := x(row)
		t := compare(opGe, v, low(row)).and(compare(opLe, v, high(row)))
		if not {
			t = t.not()
		}
		return t.value()
	}
}

func evalIn(x evaluator, list []evaluator, not bool) evaluator {
	return func(row []Value) Value {
		v := x(row)
		if v.kind == KindNull {
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
	return func(row []Value) Value {
		for _, x := range list {
			if v := x(row); v.kind != KindNull {
				return v
			}
		}
		return Null()
	}
}

func evalCase(when, then []evaluator, otherwise evaluator) evaluator {
	return func(row []Value) Value {
		for i, w := range when {
			switch truthOf(w(row)) {
			case isTrue:
				return then[i](row)
			case isUnknown:
				return Value{}
			}
		}
		return otherwise(row)
	}
}

func evalFold(x evaluator, upper bool) evaluator {
	return func(row []Value) Value {
		v := x(row)
		if anyKind(v.kind) {
			return v
		}
		s := v.Str()
		if v.ptr == nil {
			s = string(v.AppendText(nil))
		}
		for i := 0; i < len(s); i++ {
			c := s[i]
			if c >= utf8.RuneSelf || upper && c-'a' < 26 || !upper && c-'A' < 26 {
				if upper {
					return Text(strings.ToUpper(s))
				}
				return Text(strings.ToLower(s))
			}
		}
		return Text(s)
	}
}

// compare is x op y. NULL decides before Unknown does: whatever was not sent, a comparison with NULL is NULL.
func compare(op exprOp, x, y Value) truth {
	if x.kind == KindNull || y.kind == KindNull {
		return isNull
	}
	if x.kind == KindUnknown || y.kind == KindUnknown {
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
func order(x, y Value) (c int, ok bool) {
	if x.kind == KindBool {
		x.kind = KindInt
	}
	if y.kind == KindBool {
		y.kind = KindInt
	}
	switch {
	case x.kind == KindInt && y.kind == KindInt:
		return cmp3(int64(x.num), int64(y.num)), true
	case isNumber(x.kind) && isNumber(y.kind):
		return orderNumbers(x, y)
	case isNumber(x.kind):
		return orderNumberText(x, y)
	case isNumber(y.kind):
		c, ok = orderNumberText(y, x)
		return -c, ok
	case x.kind == KindTime && y.kind == KindTime:
		return cmp3(int64(x.num), int64(y.num)), true
	case x.kind == KindTime:
		return orderTimeText(x, y)
	case y.kind == KindTime:
		c, ok = orderTimeText(y, x)
		return -c, ok
	case (x.kind == KindBytes) == (y.kind == KindBytes):
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

func orderNumbers(x, y Value) (int, bool) {
	switch {
	case x.kind == KindFloat && y.kind == KindFloat:
		return orderFloats(x.Float(), y.Float())
	case x.kind == KindInt && y.kind == KindFloat:
		return orderIntFloat(int64(x.num), y.Float())
	case x.kind == KindFloat && y.kind == KindInt:
		c, ok := orderIntFloat(int64(y.num), x.Float())
		return -c, ok
	}
	if x.kind != KindFloat && y.kind != KindFloat {
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
func orderNumberText(x, t Value) (int, bool) {
	if t.kind != KindText && t.kind != KindOther {
		return 0, false
	}
	f, ok := Text(t.Str()).Number()
	g, ok2 := x.Number()
	if !ok || !ok2 {
		return 0, false
	}
	return orderFloats(g, f)
}

func orderTimeText(x, t Value) (int, bool) {
	if t.kind != KindText && t.kind != KindOther {
		return 0, false
	}
	switch t.Str() {
	case "infinity":
		return -1, true
	case "-infinity":
		return 1, true
	}
	micros, ok := ParseTime(t.Str())
	return cmp3(int64(x.num), micros), ok
}

func evalNegate(x evaluator) evaluator {
	return func(row []Value) Value { return negate(x(row)) }
}

func negate(v Value) Value {
	switch {
	case anyKind(v.kind):
		return v
	case v.kind == KindInt && int64(v.num) != math.MinInt64:
		return Int(-int64(v.num))
	}
	f, ok := v.Number()
	if !ok {
		return Null()
	}
	return floatOrNull(-f)
}

func floatOrNull(f float64) Value {
	if f != f {
		return Null()
	}
	return Float(f)
}

func evalArithmetic(op exprOp, x, y evaluator) evaluator {
	return func(row []Value) Value { return calculate(op, x(row), y(row)) }
}

func calculate(op exprOp, x, y Value) Value {
	switch {
	case x.kind == KindNull || y.kind == KindNull:
		return Null()
	case x.kind == KindUnknown || y.kind == KindUnknown:
		return Value{}
	case x.kind == KindInt && y.kind == KindInt:
		if v, ok := calculateInts(op, int64(x.num), int64(y.num)); ok {
			return v
		}
	case x.kind == KindTime || y.kind == KindTime:
		return calculateTimes(op, x, y)
	}
	f, ok := x.Number()
	g, ok2 := y.Number()
	if !ok || !ok2 {
		return Null()
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
		return Null()
	}
	return floatOrNull(f / g)
}

// calculateInts is exact; ok is false where the result has no 64 bits.
func calculateInts(op exprOp, a, b int64) (v Value, ok bool) {
	switch op {
	case opAdd:
		s := a + b
		return Int(s), (s > a) == (b > 0)
	case opSub:
		s := a - b
		return Int(s), (s < a) == (b > 0)
	case opMul:
		return multiply(a, b)
	}
	if b == 0 {
		return Null(), true
	}
	if a == math.MinInt64 && b == -1 {
		return Value{}, false
	}
	return Int(a / b), true
}

func multiply(a, b int64) (v Value, ok bool) {
	high, low := bits.Mul64(magnitude(a), magnitude(b))
	if negative := (a < 0) != (b < 0); negative {
		return Int(-int64(low)), high == 0 && low <= 1<<63
	}
	return Int(int64(low)), high == 0 && low < 1<<63
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

func calculateTimes(op exprOp, x, y Value) Value {
	if x.kind == KindTime && y.kind == KindTime {
		if op == opSub {
			return Float(float64(int64(x.num)-int64(y.num)) / 1e6)
		}
		return Null()
	}
	if y.kind == KindTime && op == opAdd {
		x, y = y, x
	}
	seconds, ok := y.Number()
	if x.kind != KindTime || !ok || op != opAdd && op != opSub {
		return Null()
	}
	if op == opSub {
		seconds = -seconds
	}
	micros := math.Round(seconds * 1e6)
	if !(math.Abs(micros) < 1<<61) {
		return Null()
	}
	return Timestamp(int64(x.num) + int64(micros))
}

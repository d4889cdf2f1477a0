// Package expr is the SQL subset of flows: what `label:`, `where:`, `id:` and `weight:` say. [Parse] reads an
// expression, [Expr.Bind] resolves its columns in a table, and [Bound.Eval] computes it for a row with SQL's
// three-valued logic. The package is also the one reader of times: [ParseTime], [ParseClock] and [Micros].
//
// The subset: = <> < <= > >=, and or not, in, between, is [not] null, + - * /, coalesce, lower, upper, case. A
// comparison with NULL is NULL; a value that the source did not send makes the result unknown,
// which is never taken for NULL.
package expr

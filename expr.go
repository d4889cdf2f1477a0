package tidemill

import "errors"

// Expr is an expression over one row: a SQL subset with three-valued logic
// (= <> < <= > >= and or not in between is [not] null + - * / coalesce lower upper case).
type Expr struct{ src string }

// ParseExpr parses src; an error names the place in it.
func ParseExpr(src string) (*Expr, error) { return nil, errors.New("expression: " + src) }

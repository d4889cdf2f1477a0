// Package feature turns the columns of a changed row into numbers.
//
// Most kinds read the row alone and keep nothing: Numeric, Boolean, Time, Log, Ratio, OneHot, Category, Hashed, Text,
// Pixels, Image. Window remembers: counts, means and the like by key over the last hour. What learns beside the model
// (scalers, imputers, target encoding) is in package encode.
//
//	features := []tidemill.Feature{
//		feature.Numeric("distance", "hour"),
//		feature.OneHot("carrier", "origin"),
//	}
//
// The rules are the same for all. NULL is unknown: NaN in a dense column, nothing among the terms. A value that the
// source did not send (tidemill.KindUnknown: Postgres leaves an unchanged large value out of an UPDATE) rejects the row
// and says what to do. So does a number that is infinite, and a value that cannot be what the feature needs. Every such
// error is a *tidemill.RowError that names table and column; a column that is missing, or can never fit, is an error of
// Bind.
//
// A feature is made unbound; the engine calls Bind for each table before the first change of it. Append is a pure read,
// safe beside other Appends; Update, Bind and UnmarshalBinary are called by one goroutine while nobody reads.
package feature

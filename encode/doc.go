// Package encode prepares vectors on the model's side: scalers, one-hot, imputers, target encoding.
//
// A feature reads a row and remembers what happened before it; an encoder learns beside the model. At an answer an
// unsupervised encoder Learns and then Applies, a supervised one (Target) Applies and then Learns, and then the model
// learns; a prediction only Applies. A held question keeps the raw vector, so that the newest scaler is applied when
// the answer comes: the order that River's pipelines have.
//
// Every encoder is made unbound, is told its columns once by Bind, and then learns. Learn, Bind and UnmarshalBinary are
// called by one goroutine while nobody else reads; Apply and AppendBinary are pure reads, safe beside each other.
//
//	scale := encode.Standard()
//	out, err := scale.Bind(columns)
//	scale.Learn(&x, nil)
//	scale.Apply(&z, &x)
//
// Columns are described by tidemill.FeatureColumn: scalers and imputers leave nominal columns (a category's code)
// alone, and scalers leave columns alone that are already scaled (pixels, indicators). After a scaler no number column
// is NaN.
package encode

// Package model holds the models: linear and logistic regression, k-means, naive Bayes, Hoeffding trees, and the
// baselines that a model has to beat.
//
// Every model implements tidemill.Model and works alone, as a library:
//
//	m := model.Logistic(model.SGD(0.01))
//	p := m.Predict(nil, x)                                   // one probability per class known so far
//	m.Learn(&tidemill.Example{X: x, Y: []float64{1}, Weight: 1})
//
// Learn, Bind and UnmarshalBinary run alone; Predict is a pure read and runs beside other Predicts. Neither allocates
// once the model has seen the row's features and class. In a flow the encoders that a model asks for
// (tidemill.Preparer) stand before it: linear models ask for encode.Standard and encode.OneHot, the others for none.
//
// NaN in a dense column is "unknown": linear models, k-means and naive Bayes leave it out, a Hoeffding tree follows the
// more travelled branch.
package model

// Package score holds the running figures over answers: accuracy, AUC, log loss, errors, confusion.
//
// A score sees each question together with its truth, in the order of the answers, and has one value: the progressive
// validation of the model. Every score of this package counts each answer once, whatever the example's weight; an
// answer whose question the model could not answer yet (a prediction of NaN) is not counted; a class that was unknown
// when the question was asked counts as wrong. What a score cannot use (a number for a classifier's score) is not
// counted either.
//
//	acc := score.Accuracy()
//	acc.Update(&tidemill.Answer{Kind: tidemill.Classify, Prediction: []float64{.2, .8}, Class: 1, Truth: 1})
//	fmt.Println(acc.Value()) // 1
//
// Rolling is the same figure over the last n answers; the method Fading is it over all
// answers with weights that shrink.
//
// One goroutine updates a score; Value, Details, Confusion and AppendBinary are pure reads, safe beside each other.
package score

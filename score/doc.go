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
// Rolling is the same figure over the last n answers, Fading over all answers with weights that shrink; both are also
// methods of the scores, so that the engine can make them without knowing this package:
//
//	type Windowed interface {
//		Rolling(n int) tidemill.Score        // over the last n answers
//		Fading(keep float64) tidemill.Score  // an answer's weight is multiplied by keep at each further one; nil where there is none
//	}
//
// One goroutine updates a score; Value, Details, Confusion and AppendBinary are pure reads, safe beside each other.
package score

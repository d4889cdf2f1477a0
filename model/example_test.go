package model_test

import (
	"fmt"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/model"
)

func row(x ...float64) *tidemill.Vector { return &tidemill.Vector{Dense: x} }

func ExampleLogistic() {
	m := model.Logistic(model.SGD(0.1))
	for i := range 1000 {
		x := float64(i%21 - 10)
		y := 0.0
		if x > 2 {
			y = 1
		}
		m.Learn(&tidemill.Example{X: row(x / 10), Y: []float64{y}, Weight: 1})
	}
	fmt.Printf("%.2f\n", m.Predict(nil, row(-0.9)))
	fmt.Printf("%.2f\n", m.Predict(nil, row(0.9)))
	// Output:
	// [1.00 0.00]
	// [0.02 0.98]
}

func ExampleLinear() {
	m := model.Linear(model.SGD(0.05))
	for i := range 2000 {
		x := float64(i%11) / 10
		m.Learn(&tidemill.Example{X: row(x), Y: []float64{3*x + 1}, Weight: 1})
	}
	fmt.Printf("%.1f\n", m.Predict(nil, row(2)))
	// Output: [7.0]
}

func ExampleKMeans() {
	m := model.KMeans(2, func(c *model.KMeansConfig) {
		c.Centers = [][]float64{{0, 0}, {10, 10}}
		c.Weights = []float64{1}
	})
	for _, x := range [][]float64{{1, 1}, {9, 9}, {2, 0}, {11, 9}} {
		m.Learn(&tidemill.Example{X: row(x...), Weight: 1})
	}
	m.(tidemill.Weighted).Weights(func(column int, _ uint64, centre int, place float64) bool {
		fmt.Printf("centre %d column %d: %.2f\n", centre, column, place)
		return true
	})
	fmt.Printf("%.2f\n", m.Predict(nil, row(10, 9)))
	// Output:
	// centre 0 column 0: 1.00
	// centre 0 column 1: 0.33
	// centre 1 column 0: 10.00
	// centre 1 column 1: 9.33
	// [12.49 0.33]
}

func ExampleHoeffdingTree() {
	m := model.HoeffdingTree()
	for i := range 5000 {
		x := float64(i % 100)
		y := 0.0
		if x >= 30 && x < 60 {
			y = 1
		}
		m.Learn(&tidemill.Example{X: row(x), Y: []float64{y}, Weight: 1})
	}
	for _, x := range []float64{10, 45, 90} {
		p := m.Predict(nil, row(x))
		fmt.Println(x, p[1] > 0.5)
	}
	// Output:
	// 10 false
	// 45 true
	// 90 false
}

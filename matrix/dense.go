package matrix

import "fmt"

// Dense is a float32 matrix by rows: element (i, j) is Data[i*Stride+j]. It may be a view into a larger one. The zero
// value is an empty matrix.
type Dense struct {
	Rows, Cols, Stride int
	Data               []float32
}

// Of is the matrix of rows by cols whose elements are data, row after row.
func Of(rows, cols int, data []float32) Dense {
	return Dense{rows, cols, cols, data[:rows*cols]}
}

// Row is row i, a view.
func (d Dense) Row(i int) []float32 { return d.Data[i*d.Stride:][:d.Cols] }

// RowRange is the view of rows from to to-1.
func (d Dense) RowRange(from, to int) Dense {
	if from < 0 || from > to || to > d.Rows {
		panic(fmt.Sprintf("matrix: rows %d:%d of %d", from, to, d.Rows))
	}
	if from == to {
		return Dense{Cols: d.Cols, Stride: d.Stride}
	}
	return Dense{to - from, d.Cols, d.Stride, d.Data[from*d.Stride:]}
}

// ColRange is the view of columns from to to-1.
func (d Dense) ColRange(from, to int) Dense {
	if from < 0 || from > to || to > d.Cols {
		panic(fmt.Sprintf("matrix: columns %d:%d of %d", from, to, d.Cols))
	}
	if from == to || d.Rows == 0 {
		return Dense{Rows: d.Rows, Stride: d.Stride, Cols: to - from}
	}
	return Dense{d.Rows, to - from, d.Stride, d.Data[from:]}
}

// check panics unless every element lies in Data.
func (d Dense) check(name string) {
	if d.Rows < 0 || d.Cols < 0 || d.Stride < 0 || d.Rows > 1 && d.Stride < d.Cols {
		panic(fmt.Sprintf("matrix: %s is %d x %d with stride %d", name, d.Rows, d.Cols, d.Stride))
	}
	if d.Rows > 0 && d.Cols > 0 && (d.Rows-1)*d.Stride+d.Cols > len(d.Data) {
		panic(fmt.Sprintf("matrix: %s is %d x %d with stride %d and has only %d elements",
			name, d.Rows, d.Cols, d.Stride, len(d.Data)))
	}
}

// Transpose writes the transpose of a into c. It panics unless c is a.Cols by a.Rows; they must not overlap.
func Transpose(c, a Dense) {
	c.check("c")
	a.check("a")
	if c.Rows != a.Cols || c.Cols != a.Rows {
		panic(fmt.Sprintf("matrix: transpose of %d x %d into %d x %d", a.Rows, a.Cols, c.Rows, c.Cols))
	}
	if a.Rows == 0 || a.Cols == 0 {
		return
	}
	i := 0
	for ; i+4 <= a.Rows; i += 4 {
		r0, r1, r2, r3 := a.Row(i), a.Row(i+1), a.Row(i+2), a.Row(i+3)
		for j := range r0 {
			d := c.Data[j*c.Stride+i:][:4]
			d[0], d[1], d[2], d[3] = r0[j], r1[j], r2[j], r3[j]
		}
	}
	for ; i < a.Rows; i++ {
		for j, v := range a.Row(i) {
			c.Data[j*c.Stride+i] = v
		}
	}
}

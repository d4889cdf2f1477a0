//go:build !linux

package engine

// behind does nothing: other systems set the priority of a whole process only.
func behind() {}

// giveWay does nothing, as behind does.
func giveWay() {}

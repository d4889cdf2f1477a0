// Package durable has what files need beside reading and writing to outlast a crash and to have one writer at a time: a
// lock that ends with its process, and names that are on disk. The stores and the connectors that write files use it.
package durable

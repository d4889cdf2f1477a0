package config

type schemer struct{}

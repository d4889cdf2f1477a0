package main

import (
	"errors"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/store"
)

// dirConfig keeps checkpoints in a folder.
type dirConfig struct {
	Path string `yaml:"path" like:"state" short:"true" required:"true" doc:"The folder; made where it is missing. Each flow has its own."`
}

func newDirConfig() *dirConfig { return &dirConfig{} }

// Build makes the store.
func (c *dirConfig) Build(string) (tidemill.Store, error) {
	if c.Path == "" {
		return nil, errors.New("dir: path is empty: name a folder")
	}
	return store.Dir(c.Path), nil
}

// memoryConfig keeps checkpoints in the process: a flow that starts anew every time.
type memoryConfig struct{}

func newMemoryConfig() *memoryConfig { return &memoryConfig{} }

// Build makes the store.
func (*memoryConfig) Build(string) (tidemill.Store, error) { return store.Memory(), nil }

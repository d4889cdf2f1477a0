package store_test

import (
	"testing"

	"github.com/tidemill/tidemill"
	"github.com/tidemill/tidemill/store"
	"github.com/tidemill/tidemill/tidemilltest"
)

func TestDir(t *testing.T) {
	tidemilltest.Store(t, func(t *testing.T) tidemill.Store { return store.Dir(t.TempDir()) })
}

func TestMemory(t *testing.T) {
	tidemilltest.Store(t, func(*testing.T) tidemill.Store { return store.Memory() })
}

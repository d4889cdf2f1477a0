package demo

import "context"

func runIris(ctx context.Context, o Options) error { return nil }

package lane

import (
	"context"
	"testing"
)

func TestBatch(t *testing.T) {
	ctx := context.Background()
	if IsBatch(ctx) {
		t.Error("nobody marked it")
	}
	inner, stop := context.WithCancel(Batch(ctx))
	defer stop()
	if !IsBatch(inner) || Batch(inner) != inner {
		t.Error("the mark does not travel")
	}
}

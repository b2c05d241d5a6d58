package presigned_test

import (
	"os"
	"testing"

	"cse.example/cse/pki/keys/keystest"
)

func TestMain(m *testing.M) {
	keystest.Cheap()
	os.Exit(m.Run())
}

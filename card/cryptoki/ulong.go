package cryptoki

import (
	"encoding/binary"
	"runtime"
	"strconv"
)

// ulongSize is the size of CK_ULONG, C's unsigned long: four bytes on Windows,
// a machine word elsewhere.
var ulongSize = func() int {
	if runtime.GOOS == "windows" {
		return 4
	}
	return strconv.IntSize / 8
}()

// ulong is a CK_ULONG in memory.
func ulong(v uint) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(v))
	if ulongSize == 4 {
		b = binary.NativeEndian.AppendUint32(nil, uint32(v))
	}
	return b
}

// readUlong reads a CK_ULONG at the start of b, which is long enough.
func readUlong(b []byte) uint {
	if ulongSize == 4 {
		return uint(binary.NativeEndian.Uint32(b))
	}
	return uint(binary.NativeEndian.Uint64(b))
}

// flag is a CK_BBOOL in memory.
func flag(b bool) []byte {
	if b {
		return []byte{1}
	}
	return []byte{0}
}

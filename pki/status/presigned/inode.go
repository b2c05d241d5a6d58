package presigned

import (
	"fmt"
	"os"
	"reflect"
)

// inode tells one file from another of the same size and time, where the system
// has such a thing.
func inode(st os.FileInfo) string {
	v := reflect.Indirect(reflect.ValueOf(st.Sys()))
	if v.Kind() != reflect.Struct {
		return ""
	}
	if f := v.FieldByName("Ino"); f.IsValid() {
		return fmt.Sprint(f.Interface())
	}
	return ""
}

//go:build !linux

package checkpoint

import "os"

// nameless makes a file that is gone once it is closed.
func nameless() (*os.File, error) {
	f, err := os.CreateTemp("", "mimecast-*.db")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

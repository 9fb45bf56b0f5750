package checkpoint

import (
	"os"

	"golang.org/x/sys/unix"
)

// nameless makes a file in memory: a container may have no folder to write to.
func nameless() (*os.File, error) {
	const name = "mimecast.db"
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), name), nil
}

package faults

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// mounted makes a rig whose files are on a file system of their own.
func (s *suite) mounted(size string) *rig {
	s.dir = s.t.TempDir()
	if err := syscall.Mount("tmpfs", s.dir, "tmpfs", 0, "size="+size); err != nil {
		s.skip(fmt.Sprintf("can't mount a file system (%v)", err))
	}
	s.t.Cleanup(func() { _ = syscall.Unmount(s.dir, syscall.MNT_DETACH) })
	r := s.rig(simulator.Config{})
	r.Host.Inputs[0] = r.Input("logs", "siem")
	return r
}

// diskFull fills the disk of the db and the chunks, and makes room again.
func (s *suite) diskFull() result {
	r := s.mounted("600m")
	r.Host.Pipeline = fmt.Sprintf("  outputs:\n    - {name: file, match: \"*\", path: %q, file: records.jsonl, format: plain, retry_limit: no_limits}\n", r.Host.Dir)
	r.add(5)
	r.Start()
	r.All()
	filler := filepath.Join(r.Host.Dir, "filler")
	r.Must(fill(filler, r.Host.Dir, 20<<20))
	r.Logged("is nearly full")
	r.add(30)
	time.Sleep(5 * time.Second)
	r.Must(os.Remove(filler))
	r.Logged("the file system of the db has space again")
	return result{account: r.finish()}
}

// fill writes a file until only so much is free.
func fill(path, dir string, leave uint64) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for {
		var st syscall.Statfs_t
		if err := syscall.Statfs(dir, &st); err != nil {
			return err
		}
		if st.Bavail*uint64(st.Bsize) < leave {
			return nil
		}
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
}

// readOnly starts on a disk that can't be written, which is then made writable.
func (s *suite) readOnly() result {
	r := s.mounted("600m")
	disk := r.Host.Dir
	r.Host.Dir = s.t.TempDir() // all but the db is elsewhere
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		s.skip(fmt.Sprintf("can't remount (%v)", err))
	}
	r.add(5)
	r.Start()
	r.Logged("nothing is collected until the db can be used")
	time.Sleep(5 * time.Second)
	r.Must(syscall.Mount("", disk, "", syscall.MS_REMOUNT, ""))
	return result{account: r.finish()}
}

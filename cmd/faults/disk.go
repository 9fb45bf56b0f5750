package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// mounted makes a rig whose files are on a file system of their own.
func (s *suite) mounted(size string) (r *rig, unmount func(), skipped string, err error) {
	if r, err = s.rig(simulator.Config{}); err != nil {
		return nil, nil, "", err
	}
	dir := filepath.Join(r.host.Dir, "disk")
	if err = os.Mkdir(dir, 0o700); err == nil {
		err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size)
	}
	if err != nil {
		r.close()
		return nil, nil, fmt.Sprintf("can't mount a file system (%v)", err), nil
	}
	outer := r.host.Dir
	r.host.Dir = dir
	r.host.Inputs[0] = r.input("logs", "siem")
	return r, func() {
		if r.process != nil {
			r.kill()
		}
		r.host.Dir = outer
		_ = syscall.Unmount(dir, syscall.MNT_DETACH)
		r.close()
	}, "", nil
}

// diskFull fills the disk of the db and the chunks, and makes room again.
func (s *suite) diskFull() (result, error) {
	r, unmount, skipped, err := s.mounted("600m")
	if err != nil || skipped != "" {
		return result{skipped: skipped}, err
	}
	defer unmount()
	r.host.Pipeline = fmt.Sprintf("  outputs:\n    - {name: file, match: \"*\", path: %q, file: records.jsonl, format: plain, retry_limit: no_limits}\n", r.host.Dir)
	r.add(5)
	if err := r.start(); err != nil {
		return result{}, err
	}
	if _, err := r.delivered(time.Minute); err != nil {
		return result{}, err
	}
	filler := filepath.Join(r.host.Dir, "filler")
	if err := fill(filler, r.host.Dir, 20<<20); err != nil {
		return result{}, err
	}
	if err := r.logged("is nearly full", 20*time.Second); err != nil {
		return result{}, err
	}
	r.add(30)
	time.Sleep(5 * time.Second)
	if err := os.Remove(filler); err != nil {
		return result{}, err
	}
	if err := r.logged("the file system of the db has space again", 20*time.Second); err != nil {
		return result{}, err
	}
	a, err := r.finish(2 * time.Minute)
	return result{account: a}, err
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
func (s *suite) readOnly() (result, error) {
	r, unmount, skipped, err := s.mounted("600m")
	if err != nil || skipped != "" {
		return result{skipped: skipped}, err
	}
	defer unmount()
	disk := r.host.Dir
	r.host.Dir = filepath.Dir(disk) // all but the db is elsewhere
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return result{skipped: fmt.Sprintf("can't remount (%v)", err)}, nil
	}
	r.add(5)
	if err := r.start(); err != nil {
		return result{}, err
	}
	if err := r.logged("nothing is collected until the db can be used", 20*time.Second); err != nil {
		return result{}, err
	}
	time.Sleep(5 * time.Second)
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT, ""); err != nil {
		return result{}, err
	}
	a, err := r.finish(time.Minute)
	return result{account: a}, err
}

package checkpoint

import (
	"fmt"
	"path/filepath"
	"sync"
)

// Files shares open files between the instances of one process: a file is
// locked once a process, and instances may use one together. The zero value is
// ready.
type Files struct {
	mu   sync.Mutex
	open map[string]*shared
}

type shared struct {
	claimed map[Key]bool
	opening sync.Mutex
	store   *Store
	users   int // instances that have the store open
}

// Claim is the right of one instance to some logs in one file.
type Claim struct {
	files *Files
	path  string
	keys  []Key
	open  bool

	elsewhere string
}

// Elsewhere names a log that another instance of this process had claimed in
// another file; empty when there was none.
func (c *Claim) Elsewhere() string { return c.elsewhere }

// Claim takes logs in the file at path. It fails when another instance of
// this process has one of them; it does not touch the file.
func (f *Files) Claim(path string, keys []Key) (*Claim, error) {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	file := f.open[path]
	if file == nil {
		file = &shared{claimed: map[Key]bool{}}
	}
	for _, k := range keys {
		if file.claimed[k] {
			return nil, fmt.Errorf("another block collects the %s logs of account %s already, with the same db %s: take %s out of the option logs of one of the two; if they are of two Mimecast customers, give one of them an account of its own", k.Log, k.Account, path, k.Log)
		}
	}
	if f.open == nil {
		f.open = map[string]*shared{}
	}
	f.open[path] = file
	for _, k := range keys {
		file.claimed[k] = true
	}
	c := &Claim{files: f, path: path, keys: keys}
	for other, file := range f.open {
		for _, k := range keys {
			if other != path && file.claimed[k] {
				c.elsewhere = k.Log
			}
		}
	}
	return c, nil
}

// Open opens the file, or shares it if another instance has it open. It waits
// for the disk; try again later when it fails.
func (c *Claim) Open() (*Store, error) {
	file := c.file()
	file.opening.Lock()
	defer file.opening.Unlock()
	if file.store == nil {
		file.store = newStore(c.path)
	}
	if err := file.store.start(); err != nil {
		return nil, err
	}
	if !c.open {
		c.open = true
		file.users++
	}
	return file.store, nil
}

func (c *Claim) file() *shared {
	c.files.mu.Lock()
	defer c.files.mu.Unlock()
	return c.files.open[c.path]
}

// Release gives the logs back, and closes the file when no other instance
// has it open. The claim is of no use afterwards.
func (c *Claim) Release() error {
	file := c.file()
	file.opening.Lock()
	defer file.opening.Unlock()
	var err error
	if c.open {
		c.open = false
		if file.users--; file.users == 0 {
			err = file.store.close()
			file.store = nil
		}
	}
	c.files.mu.Lock()
	defer c.files.mu.Unlock()
	for _, k := range c.keys {
		delete(file.claimed, k)
	}
	if len(file.claimed) == 0 {
		delete(c.files.open, c.path)
	}
	return err
}

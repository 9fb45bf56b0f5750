package check

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// storage checks where Fluent Bit keeps the chunks of a block.
func (c checker) storage(b *Block) {
	service := &c.host.Service
	kind, path := strings.ToLower(c.host.Last(b.section, "storage.type")), c.host.Last(service, "storage.path")
	if kind == "" && on(c.host.Last(service, "storage.inherit")) {
		kind = strings.ToLower(c.host.Last(service, "storage.type"))
	}
	const lossless = "set storage.type: filesystem in the block, and storage.path in the service"
	switch {
	case kind == "filesystem" && path == "":
		c.add(Failed, b.Name, c.at(b, "storage.type:"), "storage.type is filesystem, and the service has no storage.path: Fluent Bit does not start", "set storage.path in the service")
		return
	case kind == "memrb":
		c.add(Warning, b.Name, c.at(b, "storage.type:"), "storage.type memrb drops the oldest records when it is full", lossless)
		return
	case kind != "filesystem":
		c.add(Warning, b.Name, "", "chunks are in memory alone: any stop loses those that are not sent", lossless)
		return
	}
	if folder, _ := existing(path); unix.Access(folder, unix.W_OK|unix.X_OK) != nil {
		c.add(Failed, b.Name, "", fmt.Sprintf("user %d may not write to %s, where storage.path leads", os.Getuid(), folder), "let the user of Fluent Bit write there; run this as that user")
		return
	}
	c.add(OK, b.Name, "", "chunks are kept on disk", "")
	if b.Usable && b.Config.DB != "" {
		c.fileSystems(b, path)
	}
}

// fileSystems warns when the db has room for positions where chunks have none.
func (c checker) fileSystems(b *Block, path string) {
	chunks, ok := device(path)
	db, ok2 := device(filepath.Dir(b.Config.DB))
	if ok && ok2 && chunks != db {
		c.add(Warning, b.Name, c.at(b, "db:"), "db and storage.path are on different file systems: the plugin does not see when the chunks' one is full", "put db beside storage.path")
	}
}

// device returns the file system of a path, or of the folder in which it will be made.
func device(path string) (int64, bool) {
	_, info := existing(path)
	if info == nil {
		return 0, false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int64(stat.Dev), true
}

// existing returns a path, or the folder above it that is there; nil when none is.
func existing(path string) (string, os.FileInfo) {
	for ; ; path = filepath.Dir(path) {
		if info, err := os.Stat(path); err == nil {
			return path, info
		}
		if path == filepath.Dir(path) {
			return path, nil
		}
	}
}

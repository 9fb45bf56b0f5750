package check

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// secretKeys are the options that hold secrets.
var secretKeys = []string{"client_secret", "app_key", "access_key", "secret_key", "proxy_url"}

// secrets checks who can read the files that hold secrets.
func (c checker) secrets(b *Block) {
	inFile := map[string]bool{}
	for _, p := range b.section.Properties {
		key, isFile := strings.CutSuffix(p.Key, "_file")
		value := c.host.Value(p)
		switch {
		case value == "" || !slices.Contains(secretKeys, key):
		case isFile:
			c.secretFile(b, p.Key, p.At.String(), value)
		case key == "proxy_url" && !strings.Contains(value, "@"): // no password
		case !strings.Contains(p.Value, "${"):
			inFile[p.At.File] = true
		}
	}
	for _, path := range c.host.Files {
		if info, err := os.Stat(path); inFile[path] && err == nil && info.Mode()&0o004 != 0 {
			c.add(Warning, b.Name, path, "a secret stands in this file, which every user can read ("+mode(info)+")", "chmod o-r, or use a variable or client_secret_file")
		}
	}
}

// secretFile checks a file that can be read; Parse says so of one that can't.
func (c checker) secretFile(b *Block, key, at, path string) {
	info, err := os.Stat(path)
	switch {
	case err != nil || info.IsDir():
	case info.Mode()&0o006 != 0:
		c.add(Warning, b.Name, at, fmt.Sprintf("%s: every user can read %s (%s)", key, path, mode(info)), "chmod o-rwx")
	default:
		c.add(OK, b.Name, at, fmt.Sprintf("%s: %s is not for every user (%s)", key, path, mode(info)), "")
	}
}

func mode(info os.FileInfo) string { return fmt.Sprintf("mode %04o", info.Mode().Perm()) }

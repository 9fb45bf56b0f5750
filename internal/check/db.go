package check

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/collector"
)

// db checks the checkpoint file of a block, and its folder.
func (c checker) db(b *Block) {
	path := b.Config.DB
	if path == "" {
		return // off, of which a warning has been given
	}
	at, folder := c.at(b, "db:"), filepath.Dir(path)
	if !filepath.IsAbs(path) {
		c.add(Warning, b.Name, at, fmt.Sprintf("db: %s is relative to the folder in which Fluent Bit is started", path), "write the whole path")
	}
	info, err := os.Stat(folder)
	switch {
	case err != nil:
		c.add(Failed, b.Name, at, fmt.Sprintf("db: its folder %s can't be used: %v", folder, cause(err)), "make the folder, or correct the path")
		return
	case !info.IsDir():
		c.add(Failed, b.Name, at, fmt.Sprintf("db: %s is no folder", folder), "correct the path")
		return
	case unix.Access(folder, unix.W_OK|unix.X_OK) != nil:
		c.add(Failed, b.Name, at, fmt.Sprintf("db: user %d may not write to its folder %s", os.Getuid(), folder), "let the user of Fluent Bit write there; run this as that user")
		return
	}
	switch info, err := os.Stat(path); {
	case errors.Is(err, os.ErrNotExist):
		c.add(OK, b.Name, at, "db: its folder can be written; the first start makes the file", "")
		return
	case err == nil && info.IsDir():
		c.add(Failed, b.Name, at, fmt.Sprintf("db: %s is a folder", path), "name a file in it")
		return
	case unix.Access(path, unix.R_OK|unix.W_OK) != nil:
		c.add(Failed, b.Name, at, fmt.Sprintf("db: user %d may not read and write %s", os.Getuid(), path), "let the user of Fluent Bit do so; run this as that user")
		return
	}
	switch streams, err := checkpoint.Peek(path); {
	case errors.Is(err, checkpoint.ErrOld):
		c.add(Warning, b.Name, at, err.Error(), "nothing; a copy stays beside it")
	case err != nil:
		c.add(Failed, b.Name, at, err.Error(), "")
	default:
		c.positions(b, at, streams)
	}
}

// positions says what a db holds of the logs of a block.
func (c checker) positions(b *Block, at string, streams []checkpoint.Stream) {
	keys := collector.Keys(b.Config)
	var others []string
	var latest time.Time
	have := 0
	for _, s := range streams {
		switch {
		case slices.Contains(keys, s.Key) && s.Position != nil:
			have++
			if s.Written.After(latest) {
				latest = s.Written
			}
		case s.Key.Account != b.Config.Account && s.Position != nil && !slices.Contains(others, s.Key.Account):
			others = append(others, s.Key.Account)
		}
	}
	if have > 0 {
		c.add(OK, b.Name, at, fmt.Sprintf("db: it has positions of %d of %d logs, the latest written at %s", have, len(keys), latest.Format(time.RFC3339)), "")
		return
	}
	if len(others) > 0 {
		c.add(Warning, b.Name, at, "db: it has no position of this account, but of "+strings.Join(others, ", ")+": the logs start anew",
			"nothing for another customer; else set account to that name, or rename it with mimecastctl")
		return
	}
	c.add(OK, b.Name, at, "db: it has no position yet", "")
}

// twice looks for blocks that collect the same logs.
func (c checker) twice(blocks []Block) {
	type place struct {
		key checkpoint.Key
		db  string
	}
	type application struct{ log, host, id, customer string }
	places, applications, keys := map[place]string{}, map[application]string{}, map[checkpoint.Key]string{}
	for _, b := range blocks {
		if !b.Usable {
			continue
		}
		db, _ := filepath.Abs(b.Config.DB)
		said := map[string]bool{"": true}
		for _, key := range collector.Keys(b.Config) {
			inDB := earlier(places, place{key, db}, b.Name)
			same := earlier(applications, application{key.Log, b.Config.BaseURL.Host, b.Config.AppID, b.Config.AccountCode}, b.Name)
			other := earlier(keys, key, b.Name)
			switch {
			case b.Config.DB != "" && !said[inDB]:
				said[inDB] = true
				c.add(Failed, b.Name, "", fmt.Sprintf("%s collects the logs %s of account %s too, with the same db", inDB, key.Log, key.Account), "take the log out of the option logs of one; two customers need an account each")
			case !said[same]:
				said[same] = true
				c.add(Warning, b.Name, "", fmt.Sprintf("%s collects the logs %s of the same application too: every record comes twice", same, key.Log), "take the log out of the option logs of one")
			case !said[other]:
				said[other] = true
				c.add(Warning, b.Name, "", fmt.Sprintf("%s has the same account %s for another application", other, key.Account), "give each Mimecast customer an account of its own")
			}
		}
	}
}

// earlier returns the first block that came with a key, empty if this is the first.
func earlier[K comparable](first map[K]string, key K, block string) string {
	if first[key] == "" {
		first[key] = block
		return ""
	}
	return first[key]
}

// cause drops the name of a file from its error.
func cause(err error) error {
	var file *os.PathError
	if errors.As(err, &file) {
		return file.Err
	}
	return err
}

package hostconfig

import (
	"os"
	"strings"
)

// readClassic reads a file of the classic format, included or not. Names in it are
// relative to the working directory, or else to the folder of the main file.
func (c *Config) readClassic(path, folder string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !c.begin(path) {
		return failed(path, 0, "the file is included twice")
	}
	r := classic{config: c, path: path, folder: folder}
	for text := range strings.Lines(string(content)) {
		r.line++
		if err := r.read(strings.TrimRight(text, "\r\n")); err != nil {
			return err
		}
	}
	return nil
}

// classic reads the lines of a file.
type classic struct {
	config       *Config
	path, folder string
	line         int
	section      *Section // nil before the first
	grouped      bool     // the lines are of a group in the section
	indent       string   // of the file's first line that has some
}

func (r *classic) read(text string) error {
	switch {
	case text == "", text[0] == '#':
		return nil
	case len(text) > 9 && strings.EqualFold(text[:9], "@INCLUDE "):
		return r.include(text[9:])
	case text[0] == '@' && len(text) > 3:
		return r.meta(text[1:])
	case text[0] == '[':
		name, _, closed := strings.Cut(text[1:], "]")
		if !closed {
			return r.failed("a section's name needs brackets, as in [INPUT]")
		}
		r.section, r.grouped = r.config.section(name, Place{r.path, r.line}), false
		return nil
	}
	return r.property(text)
}

func (r *classic) property(text string) error {
	blank := len(text) - len(strings.TrimLeft(text, " \t"))
	if r.indent == "" {
		if r.indent = text[:max(blank, 1)]; blank == len(text) {
			return nil
		}
	}
	rest, indented := strings.CutPrefix(text, r.indent)
	deeper := len(rest) - len(strings.TrimLeft(rest, " \t"))
	switch {
	case !indented:
		return r.failed("the line is indented otherwise than those before it")
	case rest == "" || rest[0] == '#':
		return nil
	case deeper > 0 && deeper != len(r.indent):
		return r.failed("the line is indented further than those before it")
	case deeper > 0 && r.grouped:
		return nil // of the group
	}
	rest, r.grouped = rest[deeper:], false
	if rest == "" || rest[0] == '#' {
		return nil
	}
	key, value, separated := strings.Cut(rest, " ")
	if separated && rest[0] == '[' {
		r.grouped = true
		return nil
	}
	value = strings.TrimSpace(value)
	switch {
	case !separated && strings.Contains(rest, "\t"):
		return r.failed("a key and its value are separated by a tab; use a space")
	case !separated || value == "":
		return r.failed("a key without a value")
	case r.section == nil:
		return r.failed("a key before the first section")
	}
	r.section.Properties = append(r.section.Properties, Property{
		Key: strings.ToLower(strings.TrimSpace(key)), Value: value, At: Place{r.path, r.line},
	})
	return nil
}

func (r *classic) include(name string) error {
	folder := r.folder
	if _, err := os.Stat(name); err == nil && !strings.Contains(name, "*") {
		folder = "."
	}
	files := matches(name, folder)
	if len(files) == 0 {
		return r.failed("no file is of the included name")
	}
	for _, file := range files {
		if err := r.config.readClassic(file, r.folder); err != nil {
			return within(err, r.path, r.line)
		}
	}
	return nil
}

func (r *classic) meta(text string) error {
	command, params, separated := strings.Cut(text, " ")
	if !separated {
		return r.failed("a command without a space after its name, as in @SET A=b")
	}
	if name, value, found := strings.Cut(strings.TrimSpace(params), "="); found && strings.EqualFold(command, "SET") {
		r.config.env.put(name, value)
	}
	return nil
}

func (r *classic) failed(why string) error { return failed(r.path, r.line, "%s", why) }

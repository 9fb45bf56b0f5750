package check

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/hostconfig"
)

// pluginName is what an input's name has to be.
const pluginName = "mimecast"

// Block is an input of this plugin.
type Block struct {
	Name   string        // as Fluent Bit's log calls it
	Config config.Config // valid if Usable
	Usable bool

	section *hostconfig.Section
	tag     string
}

// Files checks a configuration without the network. getenv returns a variable of the
// environment, empty when it is not set. The blocks are those for Network.
func Files(path string, getenv func(string) string) (*Report, []Block) {
	r := &Report{}
	host, err := hostconfig.Read(path, getenv)
	if err != nil {
		place, what := path, err.Error()
		var where *hostconfig.Error
		var file *os.PathError
		switch {
		case errors.As(err, &where):
			place, what = where.At.String(), where.Why
		case errors.As(err, &file):
			what = "can't be read: " + file.Err.Error()
		}
		r.add(Failed, "file", place, what, "correct it; Fluent Bit does not start with it")
		return r, nil
	}
	c := checker{r, host}
	c.service()
	for _, s := range slices.Concat(host.Inputs, host.Outputs) {
		if host.Last(s, "name") == "" {
			r.add(Failed, "file", s.At.String(), "a section without a name", "add one; Fluent Bit does not start with it")
		}
	}
	var blocks []Block
	for i, s := range host.Inputs {
		if name := host.Last(s, "name"); !strings.EqualFold(name, pluginName) {
			continue
		}
		b := Block{section: s, Name: host.Last(s, "alias"), tag: host.Last(s, "tag")}
		standard := fmt.Sprintf("%s.%d", pluginName, i)
		if b.Name == "" {
			b.Name = standard
		}
		if b.tag == "" {
			b.tag = standard
		}
		if slices.ContainsFunc(blocks, func(other Block) bool { return other.Name == b.Name }) {
			c.add(Warning, b.Name, s.At.String(), "alias: another block has the same: their metrics are shown as one", "give each block an alias of its own")
		}
		c.block(&b)
		blocks = append(blocks, b)
	}
	if len(blocks) == 0 {
		r.add(Failed, "file", path, "no input is named "+pluginName, "add one: README, Configuration")
		return r, nil
	}
	c.twice(blocks)
	c.outputs(blocks)
	return r, blocks
}

// checker checks the sections of one configuration.
type checker struct {
	*Report
	host *hostconfig.Config
}

// block checks one input by itself.
func (c checker) block(b *Block) {
	c.keys(b)
	c.values(b)
	c.secrets(b)
	if b.Usable {
		c.db(b)
	}
	c.storage(b)
}

// values reads the options as the plugin does.
func (c checker) values(b *Block) {
	cfg, err := config.Parse(func(key string) string { return c.host.First(b.section, key) })
	status := Warning // the default takes its place
	if err != nil {
		status = Failed
	}
	for _, p := range b.section.Properties {
		for _, name := range c.host.Unset(p) {
			c.add(status, b.Name, p.At.String(), fmt.Sprintf("%s: the variable %s is not set", p.Key, name), "set it in the environment of Fluent Bit, or by env: or @SET")
		}
	}
	var list *config.Error
	if errors.As(err, &list) {
		for _, problem := range list.Problems {
			c.add(Failed, b.Name, c.at(b, problem), problem, "correct it; Fluent Bit does not start with it")
		}
		return
	}
	b.Config, b.Usable = cfg, true
	c.add(OK, b.Name, "", fmt.Sprintf("the options can be used: API %d.0, logs %s", cfg.API, strings.Join(cfg.Logs, ",")), "")
	for _, w := range cfg.Warnings {
		c.add(Warning, b.Name, c.at(b, w), w, "")
	}
}

// at returns where the option stands that a text begins with; empty if it does not.
func (c checker) at(b *Block, text string) string {
	key, _, _ := strings.Cut(text, ":")
	if list := b.section.All(key); len(list) > 0 {
		return list[0].At.String()
	}
	return ""
}

// on reports whether Fluent Bit takes a value for yes.
func on(value string) bool {
	switch strings.ToLower(value) {
	case "on", "true", "yes":
		return true
	}
	return false
}

// off reports whether Fluent Bit takes a value for no.
func off(value string) bool {
	switch strings.ToLower(value) {
	case "off", "false", "no":
		return true
	}
	return false
}

package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fluent-bit-mimecast/internal/config"
	"fluent-bit-mimecast/internal/hostconfig"
	"fluent-bit-mimecast/internal/record"
	"fluent-bit-mimecast/mimecast"
)

// outputs checks that the records of each block arrive, and stay until they do.
func (c checker) outputs(blocks []Block) {
	used := map[int]bool{}
	for _, b := range blocks {
		routed := b.section.Routed()
		c.routes(b, routed)
		var unsure string // a pattern that can't be tried
		reached := map[string]bool{}
		tags := tagsOf(b)
		for i, o := range c.host.Outputs {
			hit := c.isRouted(o, i, routed)
			for _, tag := range tags {
				matched, ok := c.matches(o, tag)
				if !ok {
					unsure = c.outputName(o, i)
				}
				if matched {
					reached[tag], hit = true, true
				}
			}
			used[i] = used[i] || hit
		}
		c.unreached(b, tags, reached, len(routed) > 0, unsure)
	}
	for i, o := range c.host.Outputs {
		if used[i] {
			c.retries(o, c.outputName(o, i))
		}
	}
}

// routes warns of routes that lead to no output.
func (c checker) routes(b Block, names []string) {
	for _, name := range names {
		found := false
		for i, o := range c.host.Outputs {
			found = found || c.isRouted(o, i, []string{name})
		}
		if !found {
			c.add(Warning, b.Name, c.at(&b, "routes:"), "routes lead to "+name+", which no output is called", "give the output that alias, or correct the name")
		}
	}
}

// unreached says which tags of a block no output takes.
func (c checker) unreached(b Block, tags []string, reached map[string]bool, hasRoutes bool, unsure string) {
	missing := slices.DeleteFunc(slices.Clone(tags), func(tag string) bool { return reached[tag] })
	at := c.at(&b, "tag:")
	names := strings.Join(missing[:min(len(missing), 3)], ", ")
	if len(missing) > 3 {
		names += fmt.Sprintf(" and %d more", len(missing)-3)
	}
	switch {
	case hasRoutes:
		c.add(OK, b.Name, at, "the block has routes of its own", "")
	case len(missing) == 0:
		c.add(OK, b.Name, at, "an output takes its records", "")
	case unsure != "":
		c.add(Warning, b.Name, at, fmt.Sprintf("it is not known whether an output takes the tag %s: match_regex of %s can't be tried here", names, unsure), "see whether records arrive")
	default:
		c.add(Failed, b.Name, at, "no output takes the tag "+names+": these records are dropped", "let match of an output cover it, for instance "+b.tag+"*")
	}
}

// tagsOf returns the tags that the records of a block can have.
func tagsOf(b Block) []string {
	if !b.Usable || !b.Config.TagByType {
		return []string{b.tag}
	}
	var tags []string
	add := func(source, kind string) {
		if tag := b.tag + "." + source + "." + kind; !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	cfg := b.Config
	for _, name := range cfg.Logs {
		source := name
		switch i := slices.IndexFunc(mimecast.Logs(), func(l mimecast.Log) bool { return l.Name == name }); {
		case i >= 0:
			l := mimecast.Logs()[i]
			source = l.Family
			for _, kind := range cfg.FeedTypes(name) {
				add(source, kind)
			}
			if l.FeedTypes == nil {
				add(source, name)
			}
		case name == config.SIEMCI:
			for _, kind := range mimecast.SIEMTypesCI() {
				add(source, kind)
			}
		case cfg.API == 1:
			for _, t := range mimecast.SIEMTypes() {
				add(source, t.LogType)
			}
		default:
			for _, t := range cfg.SIEMTypes {
				add(source, mimecast.SIEMLogType(t))
			}
		}
		add(source, record.Unparsed)
	}
	if cfg.Notices {
		add("mimecast", "notice")
	}
	return tags
}

// isRouted reports whether routes of an input name an output.
func (c checker) isRouted(o *hostconfig.Section, i int, names []string) bool {
	alias, plugin := c.host.Last(o, "alias"), c.host.Last(o, "name")
	return slices.ContainsFunc(names, func(n string) bool {
		return n != "" && (n == alias || n == plugin || n == fmt.Sprintf("%s.%d", plugin, i))
	})
}

// matches reports whether an output takes a tag; not ok when that can't be told.
func (c checker) matches(o *hostconfig.Section, tag string) (matched, ok bool) {
	pattern, regex := c.host.Last(o, "match"), c.host.Last(o, "match_regex")
	if pattern == "" && regex == "" {
		// Fluent Bit takes the only output for that of the only input.
		return len(c.host.Inputs) == 1 && len(c.host.Outputs) == 1, true
	}
	if pattern != "" && hostconfig.Match(pattern, tag) {
		return true, true
	}
	if regex == "" {
		return false, true
	}
	re, err := hostconfig.Regex(regex)
	if err != nil {
		return false, false
	}
	return re.FindString(tag) != "", true
}

func (c checker) outputName(o *hostconfig.Section, i int) string {
	if alias := c.host.Last(o, "alias"); alias != "" {
		return alias
	}
	return fmt.Sprintf("%s.%d", c.host.Last(o, "name"), i)
}

// unfailing are the outputs that have nothing to try again.
var unfailing = []string{"stdout", "null", "counter", "exit"}

// retries checks what an output does with chunks that it can't send.
func (c checker) retries(o *hostconfig.Section, name string) {
	if slices.Contains(unfailing, strings.ToLower(c.host.Last(o, "name"))) {
		return
	}
	limit, at := c.host.Last(o, "retry_limit"), o.At.String()
	if list := o.All("retry_limit"); len(list) > 0 {
		at = list[0].At.String()
	}
	const forever = "set retry_limit: no_limits"
	n, err := strconv.Atoi(limit)
	switch lower := strings.ToLower(limit); {
	case lower == "no_limits", lower == "false", lower == "off":
		c.add(OK, name, at, "it tries again until it can send", "")
	case lower == "no_retries":
		c.add(Warning, name, at, "retry_limit no_retries: what can't be sent at once is dropped", forever)
	case limit == "", err != nil, n <= 1:
		c.add(Warning, name, at, "it drops a chunk after one retry, the default", forever)
	default:
		c.add(Warning, name, at, fmt.Sprintf("it drops a chunk after %d retries", n), forever)
	}
	size := c.host.Last(o, "storage.total_limit_size")
	if list := o.All("storage.total_limit_size"); size != "" && !off(size) && size != "0" {
		c.add(Warning, name, list[0].At.String(), "storage.total_limit_size "+short(size)+": beyond that the oldest chunks are dropped", "leave it out, or watch that the output keeps up")
	}
}

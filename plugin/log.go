package main

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"unicode"
)

// The host's log levels.
const (
	levelError = 1
	levelWarn  = 2
	levelInfo  = 3
	levelDebug = 4
)

const (
	// maxLines bounds the lines that wait for the host's thread.
	maxLines = 1000
	// maxLine bounds a line; the host cuts at 4 KB.
	maxLine = 3500
)

// lines takes log lines from any goroutine, as a slog.Handler, and keeps them
// for the instance's thread: only from there do they reach the host's log file.
type lines struct {
	shown [levelDebug + 1]bool // by the host's level

	mu      sync.Mutex
	waiting []line
	dropped int
}

type line struct {
	level int
	text  string
}

func newLines(h *host) *lines {
	l := &lines{}
	for level := range l.shown {
		l.shown[level] = h.logs(level)
	}
	return l
}

// flush prints what waits, on the instance's thread.
func (l *lines) flush(h *host) {
	l.mu.Lock()
	waiting, dropped := l.waiting, l.dropped
	l.waiting, l.dropped = nil, 0
	l.mu.Unlock()
	for _, line := range waiting {
		h.print(line.level, line.text)
	}
	if dropped > 0 {
		h.print(levelWarn, fmt.Sprintf("%d log lines were dropped", dropped))
	}
}

func (l *lines) add(level int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.waiting) >= maxLines {
		l.dropped++
		return
	}
	l.waiting = append(l.waiting, line{level, text})
}

// handler is a slog.Handler in front of lines.
type handler struct {
	lines *lines
	attrs string // ready made
}

func hostLevel(level slog.Level) int {
	switch {
	case level >= slog.LevelError:
		return levelError
	case level >= slog.LevelWarn:
		return levelWarn
	case level >= slog.LevelInfo:
		return levelInfo
	}
	return levelDebug
}

// Enabled implements slog.Handler.
func (h *handler) Enabled(_ context.Context, level slog.Level) bool {
	return h.lines.shown[hostLevel(level)]
}

// Handle implements slog.Handler.
func (h *handler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	b.WriteString(r.Message)
	b.WriteString(h.attrs)
	r.Attrs(func(a slog.Attr) bool {
		appendAttr(&b, a)
		return true
	})
	h.lines.add(hostLevel(r.Level), oneLine(b.String()))
	return nil
}

// WithAttrs implements slog.Handler.
func (h *handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		appendAttr(&b, a)
	}
	return &handler{h.lines, b.String()}
}

// WithGroup implements slog.Handler; this plugin uses no groups.
func (h *handler) WithGroup(string) slog.Handler { return h }

func appendAttr(b *strings.Builder, a slog.Attr) {
	value := a.Value.Resolve().String()
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || r == '"' || r == '=' }) {
		value = strconv.Quote(value)
	}
	b.WriteString(" " + a.Key + "=" + value)
}

// oneLine keeps line ends and control characters out of the log.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	return text
}

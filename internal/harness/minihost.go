package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/tinylib/msgp/msgp"
)

// writeMiniConfig writes the configuration of the small host, which knows nothing
// of the environment.
func (h Host) writeMiniConfig() error {
	var pairs []string
	for _, variable := range h.Env {
		name, value, _ := strings.Cut(variable, "=")
		pairs = append(pairs, "${"+name+"}", value)
	}
	env := strings.NewReplacer(pairs...)
	var b bytes.Buffer
	for _, in := range h.Inputs {
		b.WriteString("[INPUT]\n")
		for _, kv := range in {
			fmt.Fprintf(&b, "%s %s\n", kv[0], env.Replace(kv[1]))
		}
	}
	return os.WriteFile(h.ConfigFile(), b.Bytes(), 0o600)
}

// Hold keeps what the small host stores from being received, so that its main
// thread comes to a stand: it has counted an append and not stored it. That lasts
// until Kill.
func (p *Process) Hold() {
	p.gate.Lock()
	p.held = true
}

// receive writes the records that the small host has stored to its output, until
// the host ends. An append that it has not stored all of is not received.
func (p *Process) receive(from io.Reader) error {
	if err := os.MkdirAll(p.host.Tags(), 0o700); err != nil {
		return p.refuse(err)
	}
	in := msgp.NewReader(from)
	for {
		p.gate.Lock()
		p.gate.Unlock() //nolint:staticcheck // waits for a hold to end
		tag, err := in.ReadString()
		var records []byte
		if err == nil {
			records, err = in.ReadBytes(nil)
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil
		}
		var lines bytes.Buffer
		if err == nil {
			err = eachRecord(records, func(body []byte) error {
				_, err := msgp.UnmarshalAsJSON(&lines, body)
				lines.WriteByte('\n')
				return err
			})
		}
		for _, path := range []string{p.host.Output(), p.host.Tagged(tag)} {
			if err == nil {
				err = appendFile(path, lines.Bytes())
			}
		}
		if err != nil {
			return p.refuse(err)
		}
	}
}

// refuse ends a host whose output can't be received.
func (p *Process) refuse(err error) error {
	_ = p.cmd.Process.Kill()
	return fmt.Errorf("receiving records: %w", err)
}

func appendFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

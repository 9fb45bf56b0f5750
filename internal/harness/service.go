// Package harness runs the built plugin in a host, a real Fluent Bit or the
// small one of this project, against the simulator, and accounts for every
// record. The demo and the end-to-end tests are made of it.
package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/simulator"
)

// Service is a simulator that listens on loopback. Close it.
type Service struct {
	*simulator.Server
	URL    string
	server *http.Server
}

// StartService starts a simulator.
func StartService(cfg simulator.Config) (*Service, error) {
	sim, err := simulator.New(cfg)
	if err != nil {
		return nil, err
	}
	s := &Service{Server: sim}
	if err := s.listen("127.0.0.1:0"); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Service) listen(address string) error {
	var lc net.ListenConfig
	listener, err := lc.Listen(context.Background(), "tcp", address)
	if err != nil {
		return fmt.Errorf("listening on loopback: %w", err)
	}
	s.URL = "http://" + listener.Addr().String()
	server := &http.Server{Handler: s.Server, ReadHeaderTimeout: 10 * time.Second}
	s.server = server
	go func() { _ = server.Serve(listener) }() // until it is closed
	return nil
}

// Down ends all connections and refuses new ones, until Up.
func (s *Service) Down() error { return s.server.Close() }

// Up listens again, at the same address.
func (s *Service) Up() error { return s.listen(strings.TrimPrefix(s.URL, "http://")) }

// Close stops the simulator and its connections.
func (s *Service) Close() {
	s.Server.Close()
	s.server.Close()
}

// Confirmed returns how many SIEM records are before the positions in a db that no
// host has open, when all batches or files have so many records each.
func (s *Service) Confirmed(db string, recordsEach int) (records int, err error) {
	store, err := checkpoint.Open(db)
	if err != nil {
		return 0, err
	}
	defer func() { _ = store.Close() }()
	streams, err := store.Streams()
	for _, st := range streams {
		kind, links := strings.CutPrefix(st.Key.Log, "siem2:")
		if !links {
			kind, links = strings.CutPrefix(st.Key.Log, "siem_ci:")
		}
		if st.Position == nil || !links && st.Key.Log != "siem" {
			continue
		}
		var pos struct {
			Token, Cursor string
			Records       int
			Done          []string
			Begun         []struct{ Records int }
		}
		if err := json.Unmarshal(st.Position, &pos); err != nil {
			return 0, err
		}
		before, ok := 0, true
		switch {
		case links:
			before, ok = s.FilesBefore(kind, pos.Cursor)
		case pos.Token != "":
			before, _, ok = s.Locate(pos.Token)
		}
		if !ok {
			return 0, errors.New("the db holds a token that was never given out")
		}
		records += (before+len(pos.Done))*recordsEach + pos.Records
		for _, f := range pos.Begun {
			records += f.Records
		}
	}
	return records, err
}

// Names of the environment variables that hold the secrets, so that they stand
// neither in a file nor in the process list.
const (
	envAppKey       = "MIMECAST_APP_KEY"
	envAccessKey    = "MIMECAST_ACCESS_KEY"
	envSecretKey    = "MIMECAST_SECRET_KEY"
	envClientSecret = "MIMECAST_CLIENT_SECRET"
)

// Input returns the options of a block that collects from the service by API 1.0,
// with more options in pairs of key and value.
func (s *Service) Input(more ...string) Input {
	return Input{
		{"base_url", s.URL},
		{"app_id", s.Credentials().AppID},
		{"app_key", "${" + envAppKey + "}"},
		{"access_key", "${" + envAccessKey + "}"},
		{"secret_key", "${" + envSecretKey + "}"},
	}.with(more)
}

// Input2 is Input for API 2.0.
func (s *Service) Input2(more ...string) Input {
	return Input{
		{"base_url", s.URL},
		{"client_id", s.Client().ID},
		{"client_secret", "${" + envClientSecret + "}"},
	}.with(more)
}

// with appends options in pairs of key and value.
func (in Input) with(more []string) Input {
	for i := 0; i+1 < len(more); i += 2 {
		in = append(in, [2]string{more[i], more[i+1]})
	}
	return in
}

// Env returns the environment that the values of Input and Input2 refer to.
func (s *Service) Env() []string {
	c := s.Credentials()
	return []string{
		envAppKey + "=" + c.AppKey, envAccessKey + "=" + c.AccessKey, envSecretKey + "=" + c.SecretKey,
		envClientSecret + "=" + s.Client().Secret,
	}
}

// Input is the options of one [INPUT] block, in pairs of key and value.
type Input [][2]string

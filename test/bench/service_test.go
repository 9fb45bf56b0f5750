package bench

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"fluent-bit-mimecast/internal/simulator"
)

// fixture is synthetic logs of all types: archives as the service sends them,
// and the same records unpacked.
type fixture struct {
	format   string
	archives [][]byte
	records  int64 // in each archive
	unpacked int64 // bytes in all archives
	packed   int64
}

// The fixture's archives differ; a run is served them over and over.
const (
	fixtureArchives = 10
	batchRecords    = 20000
)

func makeFixture(format string) (*fixture, error) {
	server, err := simulator.New(simulator.Config{Seed: 1})
	if err != nil {
		return nil, err
	}
	defer server.Close()
	f := &fixture{format: format, records: batchRecords}
	for n := range fixtureArchives {
		server.AddBatch(batchRecords)
		archive, err := server.RawZip(n, format)
		if err != nil {
			return nil, err
		}
		f.archives = append(f.archives, archive)
		f.packed += int64(len(archive))
		err = f.files(n, func(file *zip.File) error {
			f.unpacked += int64(file.UncompressedSize64)
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return f, nil
}

func (f *fixture) files(n int, each func(*zip.File) error) error {
	archive, err := zip.NewReader(bytes.NewReader(f.archives[n]), int64(len(f.archives[n])))
	if err != nil {
		return err
	}
	for _, file := range archive.File {
		if err := each(file); err != nil {
			return err
		}
	}
	return nil
}

// unpack returns the contents of one archive's log files by their types.
func (f *fixture) unpack(n int) (types []string, contents [][]byte, err error) {
	err = f.files(n, func(file *zip.File) error {
		in, err := file.Open()
		if err != nil {
			return err
		}
		content, err := io.ReadAll(in)
		name, _, _ := strings.Cut(path.Base(file.Name), "_2")
		types, contents = append(types, name), append(contents, content)
		return err
	})
	return types, contents, err
}

// enlarged is one archive with the files of the first as often as it takes to
// unpack to size bytes.
func (f *fixture) enlarged(size int64) (archive []byte, records int64, err error) {
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for n, unpacked := 0, int64(0); unpacked < size; n++ {
		err := f.files(0, func(file *zip.File) error {
			header := file.FileHeader
			base, rest, _ := strings.Cut(header.Name, "_2")
			header.Name = fmt.Sprintf("%s_2%d%s", base, n, rest)
			to, err := w.CreateRaw(&header)
			if err != nil {
				return err
			}
			from, err := file.OpenRaw()
			if err != nil {
				return err
			}
			unpacked += int64(header.UncompressedSize64)
			_, err = io.Copy(to, from)
			return err
		})
		if err != nil {
			return nil, 0, err
		}
		records += f.records
	}
	return out.Bytes(), records, w.Close()
}

// service is a Mimecast that costs next to nothing: it looks at a request's
// token and sends archives that are ready, one after the other.
type service struct {
	url      string
	server   *http.Server
	archives [][]byte
	batches  int          // of them, to serve
	polls    atomic.Int64 // answered with nothing new
}

func startService(archives [][]byte, batches int) (*service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &service{url: "http://" + listener.Addr().String(), archives: archives, batches: batches}
	s.server = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.server.Serve(listener) }() // until it is closed
	return s, nil
}

func (s *service) close() { _ = s.server.Close() }

func (s *service) serve(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Data []struct {
			Token string `json:"token"`
		} `json:"data"`
	}
	err := json.NewDecoder(r.Body).Decode(&ask)
	n := 0
	if err == nil && len(ask.Data) == 1 && ask.Data[0].Token != "" {
		n, err = strconv.Atoi(ask.Data[0].Token)
	}
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	case r.URL.Path == simulator.PathSIEM && n < s.batches:
		body := s.archives[n%len(s.archives)]
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="batch"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		w.Header().Set("mc-siem-token", strconv.Itoa(n+1))
		_, _ = w.Write(body) // the client sees what went wrong
	case r.URL.Path == simulator.PathSIEM:
		s.polls.Add(1)
		answer(w, `[]`)
	default:
		answer(w, `[{"impersonationLogs":[],"resultCount":0}]`)
	}
}

func answer(w http.ResponseWriter, data string) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"meta":{"isLastToken":true,"status":200,"pagination":{"pageSize":0}},"data":`+data+`,"fail":[]}`)
}

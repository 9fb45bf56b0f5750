package collector

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"fluent-bit-mimecast/internal/checkpoint"
	"fluent-bit-mimecast/internal/simulator"
)

// downgrade writes the rig's file anew as the version before accounts did, whose
// keys had a host and an application id. The collector must be stopped.
func (r *rig) downgrade(host string) {
	r.t.Helper()
	store, err := openStore(r)
	if err != nil {
		r.t.Fatal(err)
	}
	streams, err := store.Streams()
	if err != nil {
		r.t.Fatal(err)
	}
	ids := map[checkpoint.Key][][]byte{}
	for _, st := range streams {
		err := store.IDs(st.Key, func(id checkpoint.ID) {
			raw := binary.BigEndian.AppendUint64(nil, uint64(id.Unix)^1<<63)
			ids[st.Key] = append(ids[st.Key], append(raw, id.Hash[:]...))
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	closeStore(r)
	if err := os.Remove(r.cfg.DB); err != nil {
		r.t.Fatal(err)
	}
	db, err := bbolt.Open(r.cfg.DB, 0o600, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		meta, err := tx.CreateBucket([]byte("mimecast"))
		if err != nil {
			return err
		}
		if err := meta.Put([]byte("version"), []byte("1")); err != nil {
			return err
		}
		all, err := tx.CreateBucket([]byte("streams"))
		if err != nil {
			return err
		}
		for _, st := range streams {
			b, err := all.CreateBucket([]byte(host + "|" + r.cfg.AppID + "|" + st.Key.Log))
			if err != nil {
				return err
			}
			if err := b.Put([]byte("position"), st.Position); err != nil {
				return err
			}
			if err := b.Put([]byte("written"), []byte(st.Written.Format(time.RFC3339))); err != nil {
				return err
			}
			if ids[st.Key] == nil {
				continue
			}
			delivered, err := b.CreateBucket([]byte("ids"))
			if err != nil {
				return err
			}
			for _, id := range ids[st.Key] {
				if err := delivered.Put(id, nil); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		r.t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		r.t.Fatal(err)
	}
}

// TestAFileOfAnEarlierVersion is gone on with in the middle of a batch, and no
// event comes again.
func TestAFileOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"eu-api.mimecast.com", "eu-api.mimecast.com:443"} {
		withRig(t, simulator.Config{}, []string{"base_url", "https://" + host}, func(r *rig) {
			r.sim.AddEvents(300, time.Now().Add(-30*time.Minute), 3)
			r.sim.AddBatch(1000)
			r.start()
			r.run(time.Minute)
			r.sim.AddBatch(sized(20000, 4000))
			for len(r.host.stored) < 2000 {
				r.step(3)
			}
			r.end()
			if n := len(r.host.stored); n > sized(20000, 4000) {
				t.Fatalf("%d records stored: not inside the batch", n)
			}
			if r.position().Records == 0 {
				t.Fatal("not inside the batch")
			}
			r.downgrade(host)

			// It can't be copied at first.
			obstacle := filepath.Join(r.dir, "x.db.v1", "x")
			if err := os.MkdirAll(obstacle, 0o700); err != nil {
				t.Fatal(err)
			}
			before := len(r.host.stored)
			r.start()
			r.run(time.Minute)
			r.logged("nothing is collected until the db can be used", "its copy "+r.cfg.DB+".v1 can't be made")
			if len(r.host.stored) != before {
				t.Error("it collects without a position")
			}
			if err := os.RemoveAll(filepath.Dir(obstacle)); err != nil {
				t.Fatal(err)
			}
			r.run(time.Minute)
			r.clean()
			r.count(`msg="the db of an earlier version is taken over"`, 1)
			r.logged("copy=" + r.cfg.DB + ".v1")
			r.restart(false)
			r.run(time.Minute)
			r.clean()
			r.count(`msg="the db of an earlier version is taken over"`, 1)
			r.notLogged("delivering it from the start", "level=WARN")
		})
	}
}

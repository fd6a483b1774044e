package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dgraph-io/badger/v4"
	"github.com/dgraph-io/badger/v4/y"

	"github.com/cepheus-cep/cepheus/state/seal"
)

// The keys of a state directory that is encrypted, sealed under the operator's: see
// [seal.Ring].
const (
	keysFile = "KEYS"
	keysTemp = "KEYS.tmp"
)

// KeyFault says what is wrong with the key that a state directory was opened with.
type KeyFault int

// What can be wrong with a key.
const (
	KeyMissing  KeyFault = iota // the directory is encrypted, and no key was given
	KeyUnneeded                 // it is not, and one was given
	KeyWrong                    // it is encrypted under another
	KeyPlain                    // it is not encrypted, and its key was to be changed
)

// KeyError says that a state directory, or a backup, was not opened for its key.
type KeyError struct {
	Dir string // or the backup, empty where its name is not known
	Why KeyFault
}

// Error names the directory, the setting and the mend.
func (e *KeyError) Error() string {
	what := "state directory " + e.Dir
	if e.Dir == "" {
		what = "the backup"
	}
	switch e.Why {
	case KeyMissing:
		return what + " is encrypted; give its key: state.encryption.key in the configuration, or --state-key FILE"
	case KeyUnneeded:
		return what + " is not encrypted, and a key is given (state.encryption.key, --state-key or CEPHEUS_STATE_KEY); leave that out, or make an encrypted folder of it: cepheus state backup, then cepheus state restore with the key"
	case KeyPlain:
		return what + " is not encrypted, so it has no key to change; make an encrypted folder of it: cepheus state backup, then cepheus state restore with the key"
	}
	return what + " does not open with the key given (state.encryption.key, --state-key or CEPHEUS_STATE_KEY): it is encrypted under another, or its keys are damaged; give the key it was made with, or was given last by cepheus state rekey"
}

// IsEncrypted says whether a state directory is encrypted.
func IsEncrypted(dir string) (bool, error) { return readFormat(dir) }

// checkKey refuses a key where there should be none, and the other way about.
func checkKey(dir string, encrypted bool, key *seal.Key) error {
	switch {
	case encrypted && key == nil:
		return &KeyError{dir, KeyMissing}
	case !encrypted && key != nil:
		return &KeyError{dir, KeyUnneeded}
	}
	return nil
}

// openRing opens the keys of a directory, nil where it is not encrypted.
func openRing(dir string, key *seal.Key) (*seal.Ring, error) {
	if key == nil {
		return nil, nil
	}
	sealed, err := os.ReadFile(filepath.Join(dir, keysFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, damaged(dir, errors.New(keysFile+" is missing"))
	}
	if err != nil {
		return nil, fmt.Errorf("open state directory %s: %w", dir, err)
	}
	ring, err := seal.OpenRing(sealed, key)
	if err != nil {
		return nil, &KeyError{dir, KeyWrong}
	}
	return ring, nil
}

// makeRing gives a fresh directory its keys, where it is to be encrypted.
func makeRing(dir string, key *seal.Key) error {
	if key == nil {
		return nil
	}
	return putRing(dir, seal.NewRing(), key)
}

// putRing writes the keys of a directory under another name first: whenever a crash comes,
// one of the two is there whole.
func putRing(dir string, ring *seal.Ring, key *seal.Key) error {
	temp := filepath.Join(dir, keysTemp)
	err := writeSynced(temp, ring.Seal(key))
	if err == nil {
		err = os.Rename(temp, filepath.Join(dir, keysFile))
	}
	if err == nil {
		err = syncPath(dir)
	}
	if err != nil {
		return fmt.Errorf("write the keys of state directory %s: %w", dir, err)
	}
	return nil
}

// Rekey seals the keys of a state directory that no process has open under another master
// key. What they encrypt stays as it is; from then on the former master key opens nothing.
func Rekey(dir string, from, to *seal.Key) error {
	return whileLocked(dir, func() error {
		encrypted, err := readFormat(dir)
		if err == nil {
			err = checkKey(dir, encrypted, from)
		}
		if err == nil && !encrypted {
			err = &KeyError{dir, KeyPlain}
		}
		if err != nil {
			return err
		}
		ring, err := openRing(dir, from)
		if err != nil {
			return err
		}
		return putRing(dir, ring, to)
	})
}

// What Badger keeps in memory of a tree that is encrypted, in bytes: blocks and indexes that
// are decrypted. Otherwise it reads both from the mapped files.
const (
	decryptedBlocks  = 32 << 20
	decryptedIndexes = 64 << 20

	// EncryptedMemory bounds what encryption takes in memory beside, in bytes.
	EncryptedMemory = decryptedBlocks + decryptedIndexes
)

// encrypt has Badger encrypt its files.
func (o *Options) encrypt(b *badger.Options, ring *seal.Ring) {
	if ring == nil {
		return
	}
	b.EncryptionKey = ring.Tree()
	if o.KeyRotation > 0 {
		b.EncryptionKeyRotationDuration = o.KeyRotation
	}
	b.BlockCacheSize, b.IndexCacheSize = decryptedBlocks, decryptedIndexes
}

// dataKeys are the keys that Badger has made for its files, to read those beside it. Nil: they
// are not encrypted.
type dataKeys struct{ registry *badger.KeyRegistry }

// readDataKeys opens Badger's registry of keys. That it does not open is damage: the key to it
// is that of the ring, which did.
func readDataKeys(dir string, o badger.Options) (*dataKeys, error) {
	if len(o.EncryptionKey) == 0 {
		return nil, nil
	}
	r, err := badger.OpenKeyRegistry(badger.KeyRegistryOptions{Dir: filepath.Join(dir, treeDir), ReadOnly: true, EncryptionKey: o.EncryptionKey})
	if err != nil {
		return nil, damaged(dir, fmt.Errorf("%s/%s: %w", treeDir, badger.KeyRegistryFileName, err))
	}
	return &dataKeys{r}, nil
}

// of returns the key with a number, nil where that says that a file is not encrypted, or
// where none is.
func (k *dataKeys) of(number uint64) ([]byte, error) {
	if number == 0 || k == nil {
		return nil, nil
	}
	key, err := k.registry.DataKey(number)
	if err != nil {
		return nil, fmt.Errorf("its key is not in %s", badger.KeyRegistryFileName)
	}
	return key.Data, nil
}

const ivBytes = 16

// decryptPart opens a block or an index of a table, at whose end stands its initial vector.
func decryptPart(b, key []byte) ([]byte, error) {
	if key == nil {
		return b, nil
	}
	if len(b) < ivBytes {
		return nil, errors.New("it is too short")
	}
	at := len(b) - ivBytes
	return y.XORBlockAllocate(b[:at], key, b[at:])
}

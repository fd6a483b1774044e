package main

import (
	"fmt"
	"os"
	"time"

	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/state/seal"
)

// keyVariable is the environment variable that holds the key of a state folder where no flag
// and no configuration says otherwise.
const keyVariable = "CEPHEUS_STATE_KEY"

// keyFlag names the key of a state folder that is encrypted. The key itself is never on the
// command line, which every user of the machine can read.
type keyFlag struct {
	StateKey string `name:"state-key" type:"given" placeholder:"FILE" help:"The state folder is encrypted, and this file holds its key: 16, 24 or 32 bytes, as hexadecimal digits or in base64. Without it the environment variable CEPHEUS_STATE_KEY, where that is set, is the key itself."`
}

// key is nil where none is given.
func (f keyFlag) key() (*seal.Key, error) {
	if f.StateKey != "" {
		return readKey("--state-key", f.StateKey)
	}
	text := os.Getenv(keyVariable)
	if text == "" {
		return nil, nil
	}
	k, err := seal.ParseKey(text)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", keyVariable, err))
	}
	return k, nil
}

// readKey reads the file that a flag names.
func readKey(flag, path string) (*seal.Key, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, usage(fmt.Errorf("%s: %w", flag, err))
	}
	k, err := seal.ParseKey(string(text))
	if err != nil {
		return nil, usage(fmt.Errorf("%s %s: %w", flag, path, err))
	}
	return k, nil
}

// stateKey is the key of the run's state: the flag's, else what the configuration says, else
// that of the environment.
func (v *runVerb) stateKey() (*seal.Key, error) {
	switch {
	case v.State == "":
		return nil, nil
	case v.StateKey == "" && v.file != nil && v.file.State != nil && v.given.State == "":
		return v.file.State.Key(), nil
	}
	return v.key()
}

// keyRotation is how long the store keeps to one key of its own, 0 for its default.
func (v *runVerb) keyRotation() time.Duration {
	if v.file == nil || v.file.State == nil || v.file.State.Encryption == nil {
		return 0
	}
	return time.Duration(v.file.State.Encryption.Rotate)
}

// sealedMemory is what encryption takes in memory.
func (v *runVerb) sealedMemory() int64 {
	if v.sealed == nil {
		return 0
	}
	return state.EncryptedMemory
}

type stateRekeyVerb struct {
	Dir string `arg:"" help:"The state folder; no run may be using it."`
	keyFlag
	To string `name:"to" type:"given" required:"" placeholder:"FILE" help:"The file that holds the key from now on."`
}

// Run puts a state folder under another key.
func (v stateRekeyVerb) Run(w *world) error {
	from, err := v.key()
	if err != nil {
		return err
	}
	to, err := readKey("--to", v.To)
	if err != nil {
		return err
	}
	if err := isState(v.Dir); err != nil {
		return err
	}
	if err := state.Rekey(v.Dir, from, to); err != nil {
		return notOpened(err)
	}
	_, err = fmt.Fprintf(w.stdout, "%s opens with the key in %s now, and with no other; backups taken before open with the key they were taken under\n", v.Dir, v.To)
	return err
}

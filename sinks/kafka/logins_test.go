package kafka

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/cepheus-cep/cepheus/internal/wire"
	"github.com/cepheus-cep/cepheus/test/servers"
)

// login is how a test logs in.
type login struct {
	brokers []string
	tls     *wire.TLS
	sasl    *wire.SASL
}

func (l login) of(o Options) Options {
	o.Brokers, o.TLS, o.SASL, o.StartTimeout = l.brokers, l.tls, l.sasl, 2*time.Second
	return o
}

// logins is over listeners that only a real broker has.
func logins(t *testing.T, k *servers.Kafka) {
	r := newRig(t, k.Plain())
	ca := &wire.TLS{CA: k.File("ca.pem")}
	by := func(mechanism, user, password string) *wire.SASL {
		return &wire.SASL{Mechanism: mechanism, User: user, Password: password}
	}
	well := map[string]login{
		"PLAIN":                  {k.SASL(), ca, by("PLAIN", "alice", "alice-secret")},
		"SCRAM-SHA-256":          {k.SASL(), ca, by("SCRAM-SHA-256", "alice", "alice-secret")},
		"SCRAM-SHA-512":          {k.SASL(), ca, by("SCRAM-SHA-512", "alice", "alice-secret")},
		"a client's certificate": {k.SSL(), &wire.TLS{CA: k.File("ca.pem"), Cert: k.File("client.pem"), Key: k.File("client.key")}, nil},
	}
	for name, l := range well {
		t.Run(name, func(t *testing.T) { delivers(t, r, l) })
	}
	topic := r.topic(t, 1)
	for name, c := range map[string]struct {
		login
		want string
	}{
		"no certificate":          {login{k.SSL(), ca, nil}, "mend tls.cert and tls.key"},
		"wrong password":          {login{k.SASL(), ca, by("PLAIN", "alice", "wrong-secret")}, `refuse the login of user "alice" by PLAIN; mend sasl.user and sasl.password`},
		"wrong SCRAM password":    {login{k.SASL(), ca, by("SCRAM-SHA-512", "alice", "wrong-secret")}, `refuse the login of user "alice" by SCRAM-SHA-512; mend sasl.user and sasl.password`},
		"unknown mechanism":       {login{k.SASL(), ca, by("GSSAPI", "alice", "alice-secret")}, "sasl.mechanism"},
		"unknown CA":              {login{k.SASL(), &wire.TLS{}, by("PLAIN", "alice", "alice-secret")}, "mend tls.ca"},
		"another name":            {login{k.SASL(), &wire.TLS{CA: k.File("ca.pem"), ServerName: "example.org"}, by("PLAIN", "alice", "alice-secret")}, "mend tls.server_name"},
		"CA file not there":       {login{k.SASL(), &wire.TLS{CA: k.File("none.pem")}, nil}, "tls.ca"},
		"TLS to a plain listener": {login{k.Plain(), ca, nil}, "tls (it may not speak it)"},
		"plain to a TLS listener": {login{k.SASL(), nil, nil}, "mend tls or sasl, or the port in brokers"},
		"no login":                {login{k.SASL(), ca, nil}, "mend sasl"},
		"no such host":            {login{[]string{"nosuch.invalid:9092"}, nil, nil}, "mend brokers"},
	} {
		t.Run(name, func(t *testing.T) { refuses(t, c.of(r.transactional(topic)), c.want) })
	}
	t.Run("rights", func(t *testing.T) { rights(t, r, login{k.SASL(), ca, by("PLAIN", "bob", "bob-secret")}) })
}

// delivers opens, delivers and reads back, with transactions and without.
func delivers(t *testing.T, r *rig, l login) {
	for _, transactional := range []bool{true, false} {
		topic := r.topic(t, 2)
		o := l.of(r.transactional(topic))
		if o.Transactional = transactional; !transactional {
			o.TransactionalID = ""
		}
		if err := Probe(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		rows := rowsTo(50)
		if err := deliverFrom(t.Context(), open(t, o), rows, 10); err != nil {
			t.Fatal(err)
		}
		isExactly(t, r.read(t, topic), rows)
	}
}

// refuses wants both the probe and the start to say what is wrong, and no secret.
func refuses(t *testing.T, o Options, want string) {
	t.Helper()
	_, err := Open(t.Context(), o)
	for _, err := range []error{err, Probe(t.Context(), o)} {
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "-secret") {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	if !errors.As(err, new(*wire.SettingError)) && !strings.Contains(err.Error(), "tls.ca") && !strings.Contains(err.Error(), "mechanism") {
		t.Errorf("error %v names no setting", err)
	}
}

// rights leaves bob one that is not enough. DESCRIBE on the group is enough to read its offsets,
// as a probe does: that it cannot be written shows at the start.
func rights(t *testing.T, r *rig, bob login) {
	for name, c := range map[string]struct {
		kind kmsg.ACLResourceType
		can  kmsg.ACLOperation
		want string
	}{
		"the topic, to write":     {kmsg.ACLResourceTypeTopic, kmsg.ACLOperationDescribe, `user "bob" may not write topic`},
		"the topic, to see":       {kmsg.ACLResourceTypeTopic, kmsg.ACLOperationAlter, `user "bob" may not write topic`},
		"the transactional id":    {kmsg.ACLResourceTypeTransactionalId, kmsg.ACLOperationDescribe, `user "bob" may not use transactional id`},
		"the group":               {kmsg.ACLResourceTypeGroup, kmsg.ACLOperationDescribeConfigs, `user "bob" may not use group`},
		"the topic, to read only": {kmsg.ACLResourceTypeTopic, kmsg.ACLOperationRead, `user "bob" may not write topic`},
	} {
		t.Run(name, func(t *testing.T) {
			topic := r.topic(t, 1)
			o := bob.of(r.transactional(topic))
			resource := topic
			if c.kind != kmsg.ACLResourceTypeTopic {
				resource = o.TransactionalID
			}
			servers.AllowOnly(t, r.admin, c.kind, resource, "bob", c.can)
			refuses(t, o, c.want)
		})
	}
	o := bob.of(r.transactional(r.topic(t, 1)))
	servers.AllowOnly(t, r.admin, kmsg.ACLResourceTypeGroup, o.TransactionalID, "bob", kmsg.ACLOperationDescribe)
	if _, err := Open(t.Context(), o); err == nil || !strings.Contains(err.Error(), `user "bob" may not use group`) {
		t.Errorf("a group that may be seen alone: %v", err)
	}
}

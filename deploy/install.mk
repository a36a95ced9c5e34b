# Installing and packaging; a part of the one Makefile.
PREFIX     ?= /usr/local
BINDIR     ?= $(PREFIX)/bin
MANDIR     ?= $(PREFIX)/share/man
SYSCONFDIR ?= /etc
# systemd looks below /usr/local/lib too, so a plain `make install` works without a package.
UNITDIR    ?= $(PREFIX)/lib/systemd/system
SHAREDIR   ?= $(PREFIX)/share
MANUAL     := build/manual
to          = $(DESTDIR)$(1)

.PHONY: manual install uninstall deb e2e-deb e2e-docker e2e-kubernetes e2e-filesystems
manual: $(MANUAL)/gnomon.1 $(MANUAL)/gnomon.bash $(MANUAL)/_gnomon ## man page and completions, from the option table
$(MANUAL)/manual: deploy/manual/manual.c include/config/options.h
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE -O1 -Iinclude $(WARN) $< -o $@
$(MANUAL)/gnomon.1: $(MANUAL)/manual ; @$< man $(VERSION) >$@.new && mv $@.new $@
$(MANUAL)/gnomon.bash: $(MANUAL)/manual ; @$< bash >$@.new && mv $@.new $@
$(MANUAL)/_gnomon: $(MANUAL)/manual ; @$< zsh >$@.new && mv $@.new $@

install: release manual ## install (DESTDIR=, PREFIX=/usr/local); settings that exist are kept
	install -Dm755 build/release/$(NAME) $(call to,$(BINDIR)/$(NAME))
	install -Dm644 $(MANUAL)/gnomon.1 $(call to,$(MANDIR)/man1/gnomon.1)
	install -Dm644 $(MANUAL)/gnomon.bash $(call to,$(SHAREDIR)/bash-completion/completions/gnomon)
	install -Dm644 $(MANUAL)/_gnomon $(call to,$(SHAREDIR)/zsh/site-functions/_gnomon)
	install -Dm644 deploy/systemd/gnomon.sysusers $(call to,$(PREFIX)/lib/sysusers.d/gnomon.conf)
	install -Dm644 deploy/systemd/gnomon.tmpfiles $(call to,$(PREFIX)/lib/tmpfiles.d/gnomon.conf)
	install -d $(call to,$(UNITDIR)) $(call to,$(SYSCONFDIR)/gnomon) $(call to,$(SYSCONFDIR)/default)
	sed 's|@BINDIR@|$(BINDIR)|' deploy/systemd/gnomon.service >$(call to,$(UNITDIR)/gnomon.service)
	chmod 644 $(call to,$(UNITDIR)/gnomon.service)
	@file=$(call to,$(SYSCONFDIR)/gnomon/gnomon.yml); [ -e "$$file" ] || \
	    { sed 's|^#storage.path: .*|storage.path: /var/lib/gnomon|' configs/gnomon.yml >"$$file" && chmod 644 "$$file"; }
	@file=$(call to,$(SYSCONFDIR)/default/gnomon); [ -e "$$file" ] || install -m644 deploy/systemd/gnomon.default "$$file"
uninstall: ## remove what install made, but neither settings nor data
	rm -f $(call to,$(BINDIR)/$(NAME)) $(call to,$(MANDIR)/man1/gnomon.1) $(call to,$(UNITDIR)/gnomon.service) \
	    $(call to,$(SHAREDIR)/bash-completion/completions/gnomon) $(call to,$(SHAREDIR)/zsh/site-functions/_gnomon) \
	    $(call to,$(PREFIX)/lib/sysusers.d/gnomon.conf) $(call to,$(PREFIX)/lib/tmpfiles.d/gnomon.conf)
deb: ## build/gnomon_VERSION_ARCH.deb for this Debian
	+@deploy/debian/build.sh $(VERSION)
e2e-deb: ## install, start, upgrade, remove and purge the package in a bare Debian chroot (root; needs debootstrap)
	+@scripts/deb_in_chroot.sh
e2e-docker: ## run the Dockerfile's own steps in chroots, then the image (root; needs debootstrap)
	@scripts/dockerfile_in_chroot.py
e2e-kubernetes: ## apply every manifest to a real kube-apiserver (scripts/deploy_tools.sh kubernetes builds it: 15 min, 3 GB)
	@python3 tests/e2e/kubernetes.py
e2e-filesystems: release ## a server's life on ext4, xfs, btrfs, overlayfs, tmpfs, ramfs, sshfs (root; DIRECTORIES=/mnt/efs for others)
	@python3 tests/e2e/filesystems.py

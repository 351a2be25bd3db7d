"""Ordinary forms in which people hand over a secret: where it stands is written ``{pw}``.

Written from the manuals of the programs, with no look at the redactor. The rules were made by
``COMMANDS``, ``WRITTEN`` and ``NAMED``. ``HELD_OUT`` was written before them and showed what they
do on forms that nobody had in mind (decision 0051); its programs were added after that.
"""

PASSWORDS = ("hunter2", "Sommer2024!", "zeb-ra.9_Kite", "tulipgrass")
"""Short ones as people choose them: nothing in their look gives them away."""

COMMANDS = tuple(
    r"""
aws configure set aws_secret_access_key {pw}
aws configure set aws_session_token {pw} --profile dev
aws rds create-db-instance --master-username bob --master-user-password {pw}
aws secretsmanager create-secret --name db --secret-string {pw}
aws ssm put-parameter --name /db/url --type SecureString --value {pw}
aws iam create-login-profile --user-name bob --password {pw}
aws cognito-idp admin-set-user-password --username bob --password {pw}
AWS_SECRET_ACCESS_KEY={pw} aws s3 ls
htpasswd -b .htpasswd bob {pw}
htpasswd -cb /etc/nginx/.htpasswd bob {pw}
htpasswd -nbB bob {pw}
echo {pw} | htpasswd -i .htpasswd bob
echo {pw} | kinit bob@EXAMPLE.ORG
kinit --password-file=<(echo {pw}) bob
kadmin -p admin -w {pw} -q listprincs
kadmin.local -q "addprinc -pw {pw} bob"
kpasswd bob <<< {pw}
net use Z: \\server\share {pw} /user:bob
net use \\server\share /user:DOMAIN\bob {pw}
net user bob {pw} /add
net rpc join -U Administrator%{pw}
docker login -u bob -p {pw} registry.example.org
docker login --username bob --password {pw}
docker run -e POSTGRES_PASSWORD={pw} postgres
docker run --env MYSQL_ROOT_PASSWORD={pw} mysql
echo "{pw}" | docker login -u bob --password-stdin
printf %s {pw} | docker secret create db_password -
podman login -u bob -p {pw} quay.io
docker build --build-arg NPM_TOKEN={pw} .
skopeo copy --src-creds bob:{pw} docker://a/b dir:c
skopeo login -u bob -p {pw} quay.io
crane auth login ghcr.io -u bob -p {pw}
smbclient //server/share -U bob%{pw}
smbclient -U bob //server/share {pw}
smbclient //server/share {pw} -U bob
smbmap -u bob -p {pw} -H 10.0.0.5
crackmapexec smb 10.0.0.5 -u bob -p {pw}
rpcclient -U bob%{pw} 10.0.0.5
smbpasswd -a bob <<< {pw}
(echo {pw}; echo {pw}) | smbpasswd -s -a bob
openssl enc -aes-256-cbc -in a -out b -k {pw}
openssl enc -aes-256-cbc -pbkdf2 -in a -out b -pass pass:{pw}
openssl enc -d -aes-256-cbc -K {pw} -iv 00
openssl rsa -in key.pem -passin pass:{pw} -out k2.pem
openssl pkcs12 -export -in c.pem -out c.p12 -passout pass:{pw}
openssl passwd -6 {pw}
openssl passwd -1 -salt xyz {pw}
openssl req -new -key k.pem -passin pass:{pw}
nmcli dev wifi connect Home password {pw}
nmcli device wifi connect Home password {pw} ifname wlan0
nmcli con modify Home wifi-sec.psk {pw}
nmcli connection add type wifi ssid Home wifi-sec.key-mgmt wpa-psk wifi-sec.psk {pw}
nmcli con modify vpn vpn.secrets password={pw}
wpa_passphrase Home {pw}
wpa_passphrase Home {pw} >> /etc/wpa_supplicant.conf
wpa_cli set_network 0 psk '"{pw}"'
iwctl --passphrase {pw} station wlan0 connect Home
iwconfig wlan0 key s:{pw}
networksetup -setairportnetwork en0 Home {pw}
vault login {pw}
vault login -method=userpass username=bob password={pw}
vault kv put secret/db password={pw}
vault kv put secret/db value={pw}
vault write auth/userpass/users/bob password={pw}
vault operator unseal {pw}
useradd -p {pw} bob
useradd -m -s /bin/bash -p {pw} bob
usermod -p {pw} bob
usermod --password {pw} bob
echo bob:{pw} | chpasswd
echo 'bob:{pw}' | sudo chpasswd
chpasswd <<< bob:{pw}
printf 'bob:%s' {pw} | chpasswd -e
echo {pw} | passwd --stdin bob
echo {pw} | sudo passwd bob --stdin
echo -e "{pw}\n{pw}" | passwd bob
echo {pw} | sudo -S apt update
sudo -S ls <<< {pw}
mysql -uroot -p{pw} shop
mysql -u root -p{pw} -e 'show tables'
mysql -h db --user=root --password={pw}
mysqldump -u root -p{pw} shop > shop.sql
mysqladmin -u root password {pw}
mysqladmin -u root -pold password {pw}
MYSQL_PWD={pw} mysql -u root shop
mysql -e "CREATE USER 'bob'@'%' IDENTIFIED BY '{pw}'"
mysql -e "SET PASSWORD FOR 'bob'@'localhost' = PASSWORD('{pw}')"
psql postgresql://bob:{pw}@localhost:5432/shop
psql "host=db user=bob password={pw} dbname=shop"
PGPASSWORD={pw} psql -h db -U bob shop
psql -c "ALTER USER bob WITH PASSWORD '{pw}'"
psql -c "ALTER ROLE bob PASSWORD '{pw}'"
sqlcmd -S db -U sa -P {pw}
bcp shop.dbo.t out t.txt -S db -U sa -P {pw}
sqlplus bob/{pw}@orcl
sqlplus system/{pw} @script.sql
expdp system/{pw} full=y
mongo -u bob -p {pw} shop
mongosh --username bob --password {pw}
mongosh mongodb+srv://bob:{pw}@cluster0.example.net/shop
mongodump -u bob -p{pw} --db shop
redis-cli -a {pw} ping
redis-cli -h cache --pass {pw} ping
redis-cli AUTH {pw}
redis-cli config set requirepass {pw}
REDISCLI_AUTH={pw} redis-cli ping
cqlsh -u bob -p {pw} 10.0.0.5
clickhouse-client --user bob --password {pw}
influx -username bob -password {pw}
sshpass -p {pw} ssh bob@host
sshpass -p{pw} scp a bob@host:
SSHPASS={pw} sshpass -e ssh bob@host
plink -ssh bob@host -pw {pw}
pscp -pw {pw} a bob@host:
ssh-keygen -t ed25519 -N {pw} -f id_ed25519
ssh-keygen -p -P {pw} -N '' -f id_rsa
ssh-keygen -y -P {pw} -f id_rsa
curl -u bob:{pw} https://example.org/x
curl --user bob:{pw} https://example.org/x
curl -ubob:{pw} https://example.org/x
curl -su bob:{pw} https://example.org/x
curl -x http://bob:{pw}@proxy:3128 https://example.org
curl -U bob:{pw} -x proxy:3128 https://example.org
curl --proxy-user bob:{pw} https://example.org
curl -H "Authorization: Bearer {pw}" https://example.org
curl -H "X-Api-Key: {pw}" https://example.org
curl -H "PRIVATE-TOKEN: {pw}" https://gitlab.example.org/api
curl -d "user=bob&password={pw}" https://example.org/login
curl -d '{"user":"bob","password":"{pw}"}' https://example.org/login
curl -F password={pw} https://example.org/login
curl -b "session={pw}" https://example.org
curl --oauth2-bearer {pw} https://example.org
curl --cert client.pem:{pw} https://example.org
curl --pass {pw} --key k.pem https://example.org
wget --user=bob --password={pw} https://example.org/x
wget --http-user=bob --http-password={pw} https://example.org/x
wget --header="Authorization: token {pw}" https://example.org/x
http -a bob:{pw} example.org/x
http POST example.org/login user=bob password={pw}
xh --auth bob:{pw} example.org/x
git clone https://bob:{pw}@github.com/a/b.git
git remote add origin https://{pw}@github.com/a/b.git
git remote set-url origin https://oauth2:{pw}@gitlab.com/a/b.git
git config --global github.token {pw}
git -c http.extraHeader="Authorization: Bearer {pw}" fetch
git config credential.helper '!f() { echo password={pw}; }; f'
svn checkout https://svn.example.org/x --username bob --password {pw}
hg clone https://bob:{pw}@hg.example.org/x
ldapsearch -x -D cn=admin,dc=org -w {pw} -b dc=org
ldapadd -x -D cn=admin -w {pw} -f a.ldif
ldapmodify -D cn=admin -w{pw} -f a.ldif
ldappasswd -D cn=admin -w {pw} -s {pw} uid=bob
RSYNC_PASSWORD={pw} rsync -a bob@host::m /backup
rsync -a --password-file=<(echo {pw}) bob@host::m /backup
rsync -e "sshpass -p {pw} ssh" a bob@host:
7z a -p{pw} a.7z docs
7z x a.7z -p{pw}
7za a -p{pw} -mhe=on a.7z docs
zip -P {pw} a.zip docs
zip -r -P {pw} a.zip docs
unzip -P {pw} a.zip
rar a -hp{pw} a.rar docs
unrar x -p{pw} a.rar
gpg --batch --passphrase {pw} -c file
gpg --batch --yes --passphrase={pw} -d file.gpg
echo {pw} | gpg --batch --passphrase-fd 0 -d file.gpg
gpg --passphrase-fd 3 -d file.gpg 3<<< {pw}
kubectl create secret generic db --from-literal=password={pw}
kubectl create secret generic db --from-literal=value={pw}
kubectl create secret docker-registry r --docker-username=bob --docker-password={pw}
kubectl config set-credentials bob --token={pw}
kubectl --token {pw} get pods
kubectl set env deploy/web DB_PASSWORD={pw}
oc login -u bob -p {pw} https://cluster:6443
oc login --token={pw} https://cluster:6443
helm install web ./chart --set password={pw}
helm upgrade web ./chart --set db.auth.password={pw},db.name=x
helm repo add r https://example.org --username bob --password {pw}
helm registry login -u bob -p {pw} ghcr.io
argocd login host --username bob --password {pw}
ansible-playbook site.yml -e db_password={pw}
ansible-playbook site.yml -e "ansible_become_pass={pw}"
ansible all -m ping --extra-vars 'ansible_password={pw}'
ansible-vault encrypt_string {pw} --name db_password
export GITHUB_TOKEN={pw}
export X_TOKEN={pw}
export API_KEY="{pw}"
set -x OPENAI_API_KEY {pw}
setenv DB_PASSWORD {pw}
$env:API_KEY = "{pw}"
setx API_KEY {pw}
mount -t cifs //server/share /mnt -o username=bob,password={pw}
mount -t cifs //server/share /mnt -o user=bob,pass={pw}
mount.cifs //server/share /mnt -o user=bob%{pw}
echo {pw} | sshfs bob@host: /mnt -o password_stdin
echo {pw} | cryptsetup luksOpen /dev/sda2 data
echo -n {pw} | cryptsetup luksFormat /dev/sda2 -
xfreerdp /u:bob /p:{pw} /v:host
xfreerdp3 /v:host /u:bob /p:{pw}
rdesktop -u bob -p {pw} host
vncviewer host:1 -passwd {pw}
x11vnc -storepasswd {pw} ~/.vnc/passwd
x11vnc -passwd {pw} -display :0
ftp ftp://bob:{pw}@ftp.example.org/x
lftp -u bob,{pw} ftp.example.org
lftp -e "user bob {pw}; ls" ftp.example.org
ncftpput -u bob -p {pw} ftp.example.org /x a
az login -u bob@example.org -p {pw}
az login --service-principal -u id -p {pw} --tenant t
az storage blob list --account-name a --account-key {pw}
az keyvault secret set --vault-name v --name db --value {pw}
gcloud sql users set-password bob --instance=i --password={pw}
gcloud auth activate-refresh-token bob {pw}
echo -n {pw} | gcloud secrets create db --data-file=-
heroku config:set API_KEY={pw}
heroku config:set SECRET_TOKEN={pw} -a app
fly secrets set DB_PASSWORD={pw}
fly secrets set DATABASE_URL=postgres://u:{pw}@h/d
npm config set //registry.npmjs.org/:_authToken {pw}
npm config set //registry.npmjs.org/:_authToken={pw}
npm login --auth-token {pw}
pip install -i https://bob:{pw}@r.example.org/simple x
uv add --index https://{pw}@r.example.org/simple x
twine upload -u __token__ -p {pw} dist/a.whl
poetry config pypi-token.pypi {pw}
poetry config http-basic.r bob {pw}
poetry publish -u bob -p {pw}
uv publish --token {pw}
cargo login {pw}
gem push a.gem --key {pw}
gh auth login --with-token <<< {pw}
echo {pw} | gh auth login --with-token
gh secret set API_KEY --body {pw}
gh secret set API_KEY -b {pw}
GH_TOKEN={pw} gh pr list
glab auth login --token {pw}
terraform apply -var db_password={pw}
terraform plan -var "password={pw}"
TF_VAR_db_password={pw} terraform apply
pulumi config set --secret dbPassword {pw}
nordvpn login --username bob --password {pw}
openvpn --config a.ovpn --auth-user-pass <(printf 'bob\n%s' {pw})
restic -r /backup --password-command 'echo {pw}' backup ~
RESTIC_PASSWORD={pw} restic backup ~
BORG_PASSPHRASE={pw} borg create ::a ~
rclone config create r sftp host=h user=bob pass={pw}
rclone obscure {pw}
bw login bob@example.org {pw}
bw unlock {pw}
op signin my bob@example.org A3-XX {pw}
keepassxc-cli show -a password db.kdbx x <<< {pw}
echo {pw} | keepassxc-cli show db.kdbx x
security add-generic-password -a bob -s svc -w {pw}
security unlock-keychain -p {pw} login.keychain
secret-tool store --label=x service s <<< {pw}
keytool -genkey -keystore k.jks -storepass {pw} -keypass {pw}
keytool -list -keystore k.jks -storepass {pw}
jarsigner -storepass {pw} a.jar alias
signtool sign /f c.pfx /p {pw} a.exe
pdftk a.pdf output b.pdf user_pw {pw}
pdftk a.pdf input_pw {pw} output b.pdf
qpdf --encrypt {pw} {pw} 256 -- a.pdf b.pdf
qpdf --password={pw} --decrypt a.pdf b.pdf
pdftotext -upw {pw} a.pdf
ipmitool -I lanplus -H bmc -U admin -P {pw} power on
snmpwalk -v3 -u bob -l authPriv -A {pw} -X other host
snmpwalk -v2c -c {pw} host
snmpget -v 2c -c {pw} host sysName.0
wbinfo -a bob%{pw}
evil-winrm -i host -u bob -p {pw}
psexec.py bob:{pw}@host
impacket-secretsdump dom/bob:{pw}@host
winexe -U bob%{pw} //host cmd
cmdkey /add:host /user:bob /pass:{pw}
ConvertTo-SecureString "{pw}" -AsPlainText -Force
ConvertTo-SecureString -String {pw} -AsPlainText -Force
schtasks /create /tn x /tr y /ru bob /rp {pw}
sc config svc obj= bob password= {pw}
mosquitto_pub -u bob -P {pw} -t x -m y
mosquitto_passwd -b file bob {pw}
rabbitmqctl add_user bob {pw}
rabbitmqctl change_password bob {pw}
amqp-publish --password {pw} -r q
nats pub x y --user bob --password {pw}
ejabberdctl register bob example.org {pw}
wp user create bob b@example.org --user_pass={pw}
drush user:password bob {pw}
occ user:add --password-from-env bob OC_PASS={pw}
superset fab create-admin --username bob --password {pw}
grafana-cli admin reset-admin-password {pw}
airflow users create --username bob --password {pw} --role Admin
mutt -e 'set imap_pass={pw}'
swaks --to a@example.org --auth-user bob --auth-password {pw}
swaks -t a@example.org -au bob -ap {pw}
sendemail -f a@example.org -xu bob -xp {pw}
mailx -S smtp-auth-password={pw} -s hi a@example.org
expect -c 'spawn ssh host; expect "assword:"; send "{pw}\r"'
hydra -l bob -p {pw} host ssh
arp-scan --password {pw}
chia keys add --passphrase {pw}
steamcmd +login bob {pw} +quit
tailscale up --authkey={pw}
tailscale up --auth-key {pw}
ngrok authtoken {pw}
ngrok config add-authtoken {pw}
cloudflared tunnel run --token {pw}
wrangler secret put API_KEY <<< {pw}
doctl auth init -t {pw}
doctl auth init --access-token {pw}
hcloud context create x <<< {pw}
linode-cli configure --token {pw}
netlify deploy --auth {pw}
vercel --token {pw}
firebase deploy --token {pw}
snyk auth {pw}
sentry-cli --auth-token {pw} releases list
circleci setup --token {pw} --host https://circleci.com
travis encrypt API_KEY={pw}
huggingface-cli login --token {pw}
wandb login {pw}
kaggle config set -n key -v {pw}
""".strip().splitlines()
)

HELD_OUT = tuple(
    r"""
xmllint --noout --nonet https://bob:{pw}@example.org/a.xml
isql mydsn bob {pw}
isql -v mydsn bob {pw}
tsql -S db -U sa -P {pw}
db2 connect to shop user bob using {pw}
vsql -h db -U bob -w {pw}
nzsql -host db -u bob -pw {pw}
usql oracle://bob:{pw}@db/x
impala-shell -l -u bob --ldap_password_cmd="echo {pw}"
beeline -u jdbc:hive2://h:10000 -n bob -p {pw}
sqoop import --connect jdbc:mysql://h/d --username bob --password {pw}
snowsql -a acct -u bob --password {pw}
SNOWSQL_PWD={pw} snowsql -a acct -u bob
neo4j-admin dbms set-initial-password {pw}
cypher-shell -u neo4j -p {pw}
couchbase-cli server-list -c host -u bob -p {pw}
etcdctl --user root:{pw} get k
consul kv get -token={pw} a
nomad job run -token {pw} a.nomad
minio-mc alias set m http://h:9000 bob {pw}
mc alias set m http://h:9000 bob {pw}
s3cmd --access_key=A --secret_key={pw} ls
rclone lsd :sftp,host=h,user=bob,pass={pw}:
duplicity /home ftp://bob:{pw}@h/x
PASSPHRASE={pw} duplicity /home file:///x
fetchmail -u bob -p imap --pass {pw} host
offlineimap -k Account:pw={pw}
mbsync --pass {pw} all
ovpncli login bob {pw}
echo {pw} | openconnect --passwd-on-stdin -u bob vpn.example.org
printf '%s\n' {pw} | openconnect vpn.example.org -u bob
snx -s host -u bob -p {pw}
nxc smb host -u bob -p {pw}
GetNPUsers.py dom/bob:{pw} -dc-ip h
bloodhound-python -u bob -p {pw} -d dom
ldapwhoami -x -D cn=bob -w {pw}
samba-tool user create bob {pw}
samba-tool user setpassword bob --newpassword={pw}
pdbedit -a bob <<< {pw}
adduser --password {pw} bob
dscl . -passwd /Users/bob {pw}
sysadminctl -addUser bob -password {pw}
fdesetup enable -user bob -password {pw}
hdiutil attach a.dmg -stdinpass <<< {pw}
echo -n {pw} | hdiutil create -encryption -stdinpass a.dmg
veracrypt --text --mount a.hc /mnt --password={pw}
veracrypt -t -p {pw} a.hc /mnt
zuluCrypt-cli -o -d /dev/sdb -m x -p {pw}
ccrypt -K {pw} file
mcrypt -k {pw} file
aescrypt -e -p {pw} file
scrypt enc --passphrase env:{pw} a b
bcrypt-tool hash {pw}
mkpasswd -m sha-512 {pw}
grub-mkpasswd-pbkdf2 <<< {pw}
ipa user-add bob --password <<< {pw}
rabbitmqadmin -u bob -p {pw} list queues
kafkacat -X sasl.username=bob -X sasl.password={pw} -L
jenkins-cli -auth bob:{pw} build x
sonar-scanner -Dsonar.login={pw}
mvn deploy -Drepo.password={pw}
mvn --encrypt-password {pw}
gradle publish -PrepoPassword={pw}
composer config http-basic.example.org bob {pw}
nuget sources add -name x -source u -username bob -password {pw}
dotnet nuget push a.nupkg -k {pw}
dotnet nuget push a.nupkg --api-key {pw}
yarn config set npmAuthToken {pw}
cf login -u bob -p {pw}
ibmcloud login --apikey {pw}
oci setup config --passphrase {pw}
aliyun configure set --access-key-secret {pw}
virt-customize -a a.img --root-password password:{pw}
guestfish set-key /dev/sda key:{pw}
virsh secret-set-value u {pw}
esxcli -s h -u root -p {pw} vm list
govc session.login -u bob:{pw}@h
""".strip().splitlines()
)
"""Forms of programs that the rules did not know when they were measured."""

WRITTEN = (
    "password -> {pw}",
    "password => {pw}",
    "password \u2192 {pw}",
    "password := {pw}",
    "password == {pw}",
    "Password (for bob): {pw}",
    "Password for bob: {pw}",
    "password of bob = {pw}",
    "DB password: {pw}",
    "user/pass: bob/{pw}",
    "credentials: bob:{pw}",
    'password "{pw}"',
    "| password | {pw} |",
    "password\t{pw}",
    "password:\n  {pw}",
    "password: |\n  {pw}\n",
    "password: !vault {pw}",
    "machine example.org login bob password {pw}",
    "define('DB_PASSWORD', '{pw}');",
    "$db['password'] = '{pw}';",
    '$config["db"]["password"] = "{pw}";',
    'connect(user="bob", password="{pw}")',
    'os.environ["API_KEY"] = "{pw}"',
    'os.environ.setdefault("API_KEY", "{pw}")',
    'os.getenv("DB_PASSWORD", "{pw}")',
    'Password: "{pw}",',
    'private String password = "{pw}";',
    "const password: string = '{pw}';",
    'setPassword("{pw}")',
    'conn.set_password("{pw}")',
    '"password" to "{pw}"',
    ':password => "{pw}"',
    '{\\"password\\": \\"{pw}\\"}',
    '{"password":["{pw}"]}',
    "<password>{pw}</password>",
    "<Password>\n  {pw}\n</Password>",
    "<password><![CDATA[{pw}]]></password>",
    '<user name="bob" password="{pw}"/>',
    '<add key="DbPassword" value="{pw}"/>',
    '<add value="{pw}" key="DbPassword"/>',
    '<entry key="password">{pw}</entry>',
    '<property name="password"><value>{pw}</value></property>',
    '<param name="password">{pw}</param>',
    '<input type="password" value="{pw}">',
    '<input value="{pw}" type="password">',
    "&lt;password&gt;{pw}&lt;/password&gt;",
    'Content-Disposition: form-data; name="password"\r\n\r\n{pw}\r\n--x',
    'form-data; name="api_key"\r\nContent-Type: text/plain\r\n\r\n{pw}\r\n--x--',
    "user=bob&password={pw}&ok=1",
    "user%3Dbob%26password%3D{pw}",
    "password%3A%20{pw}",
    "%70%61%73%73%77%6f%72%64%3d{pw}",
    "redirect=%252Flogin%253Fpassword%253D{pw}",
    "pass\u200bword={pw}",
    "pass\u00adword: {pw}",
    "\ufeffpassword={pw}",
    "p\u200ca\u200cs\u200cs\u200cw\u200co\u200cr\u200cd={pw}",
    "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff1d{pw}",
    "password\uff1a{pw}",
    "password\u00a0=\u00a0{pw}",
    "\U0001d429\U0001d41a\U0001d42c\U0001d42c\U0001d430\U0001d428\U0001d42b\U0001d41d={pw}",
)
"""Passwords in notes, code, markup and forms."""

NAMES = (
    *("contrase\u00f1a", "clave", "mot de passe", "mdp", "senha", "palavra-passe"),
    *("Passwort", "Kennwort", "Geheimzahl", "Losungswort", "wachtwoord", "l\u00f6senord"),
    *("passord", "adgangskode", "kodeord", "salasana", "tunnussana", "has\u0142o", "heslo"),
    *("\u043f\u0430\u0440\u043e\u043b\u044c", "\u043f\u0430\u0440\u043e\u043b\u0430"),
    *("\u043b\u043e\u0437\u0438\u043d\u043a\u0430", "lozinka", "geslo", "parool", "parole"),
    *("slapta\u017eodis", "jelsz\u00f3", "parol\u0103", "parola", "\u015fifre"),
    *("\u03ba\u03c9\u03b4\u03b9\u03ba\u03cc\u03c2", "\u5bc6\u7801", "\u5bc6\u78bc", "\u53e3\u4ee4"),
    *("\u30d1\u30b9\u30ef\u30fc\u30c9", "\u6697\u8a3c\u756a\u53f7", "\ube44\ubc00\ubc88\ud638"),
    *("\uc554\ud638", "\u0643\u0644\u0645\u0629 \u0627\u0644\u0645\u0631\u0648\u0631"),
    *("\u0643\u0644\u0645\u0629 \u0627\u0644\u0633\u0631", "\u05e1\u05d9\u05e1\u05de\u05d4"),
    *("\u092a\u093e\u0938\u0935\u0930\u094d\u0921", "m\u1eadt kh\u1ea9u"),
    *("\u0e23\u0e2b\u0e31\u0e2a\u0e1c\u0e48\u0e32\u0e19", "kata sandi"),
    *("\u06af\u0630\u0631\u0648\u0627\u0698\u0647", "nenosiri", "pasahitza", "contrasenya"),
)
"""A password by name in some forty languages and spellings."""

NAMED = tuple(
    form.replace("{name}", name)
    for name in NAMES
    for form in ("{name}={pw}", "{name}: {pw}", '{"{name}": "{pw}"}')
)

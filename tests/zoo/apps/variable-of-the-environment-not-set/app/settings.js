function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`environment variable ${name} is not set`);
  return value;
}

exports.settings = {
  port: process.env.PORT || 3000,
  bucket: required('ARCHIVE_BUCKET'),
};
